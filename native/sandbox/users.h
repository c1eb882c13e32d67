// Who is who in a user namespace.
#pragma once

#include <sys/types.h>

namespace lamina::sandbox {

// Whether root here is root of the machine: the ids are those of the first user namespace.
bool is_machines_root();

// Gives a process in a new user namespace its one user: root, who is the caller outside.
void give_users(pid_t process);

}  // namespace lamina::sandbox
