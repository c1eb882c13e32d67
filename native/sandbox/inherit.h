// What a process gets from the one that starts it, apart from privileges: set on purpose, whatever the caller's is.
#pragma once

#include <sys/types.h>

#include "sandbox/spec.h"

namespace lamina::sandbox {

// A service that must not be ended where memory is short (sshd has -1000) passes that on; what this process starts is ended
// before it. For the maker: one that has changed its user cannot open the file any more.
void be_ended_like_others();

// The limits alone, of another process: in a user namespace it cannot raise its own.
void set_limits(pid_t process, const Spec& spec);

// Limits, scheduling, personality, session keyring, umask, environment. Of scheduling the nice value and the processors stay,
// which a person gives a command on purpose.
void set_inherited(const Spec& spec);

}  // namespace lamina::sandbox
