// What a process gets from the one that starts it, apart from privileges: set on purpose, whatever the caller's is.
#pragma once

#include "sandbox/spec.h"

namespace lamina::sandbox {

// Limits, how soon it is ended where memory is short, scheduling, personality, session keyring, umask, environment. Of scheduling
// the nice value and the processors stay, which a person gives a command on purpose. To be called while the host's /proc is
// there.
void set_inherited(const Spec& spec);

}  // namespace lamina::sandbox
