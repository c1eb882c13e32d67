// The state that a process inherits, apart from privileges: set explicitly, whatever the caller's is.
#pragma once

#include <sys/types.h>

#include "sandbox/spec.h"

namespace lamina::sandbox {

// A service that is exempt from the OOM killer (sshd has -1000) passes that on; children of this process are killed
// before it. Call it in the maker: after a change of user the file cannot be opened any more.
void be_ended_like_others();

// The limits alone, of another process: in a user namespace it cannot raise its own.
void set_limits(pid_t process, const Spec& spec);

// Limits, scheduling, personality, session keyring, umask, environment. Of scheduling the nice value and the processors
// stay, which users set deliberately for a command.
void set_inherited(const Spec& spec);

}  // namespace lamina::sandbox
