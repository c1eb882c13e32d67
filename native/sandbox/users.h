// Who is who in a user namespace.
#pragma once

#include <sys/types.h>

namespace lamina::sandbox {

// Whether root here is root of the machine: the ids are those of the first user namespace.
bool is_machines_root();

// Gives a process in a new user namespace its ids: 65536 of them that are first_id and those that follow outside; or, where
// first_id is 0, root alone, who is the caller outside.
void give_users(pid_t process, uid_t first_id);

// The user namespace of a process.
int users_of(pid_t process);

}  // namespace lamina::sandbox
