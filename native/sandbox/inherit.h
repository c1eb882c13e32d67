// The state that a process inherits, apart from privileges: set explicitly, whatever the caller's is.
#pragma once

#include <sys/types.h>

#include "sandbox/spec.h"

namespace lamina::sandbox {

// A service that is exempt from the OOM killer (sshd has -1000) passes that on; children of this process are killed
// before it. Call it in the maker: after a change of user the file cannot be opened any more.
void be_ended_like_others();

// A kernel with CONFIG_RT_GROUP_SCHED puts no real-time process into a control group with the cpu controller
// (sched(7)). Call it in the maker, before it makes the process that it puts into one.
void leave_real_time();

// The limits alone, of another process: in a user namespace it cannot raise its own.
void set_limits(pid_t process, const Spec& spec);

// Limits, personality, session keyring, umask, environment. The nice value and the processors stay, which users set
// deliberately for a command.
void set_inherited(const Spec& spec);

}  // namespace lamina::sandbox
