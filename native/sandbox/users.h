// Who is who in a sandbox.
#pragma once

#include <sys/types.h>

#include "sandbox/root.h"
#include "sandbox/spec.h"

namespace lamina::sandbox {

enum class Users {
  // No user namespace: every number is the same outside.
  hosts,
  // A user namespace with one user: root, who is the caller outside.
  one,
  // A user namespace with the numbers below IdRange::count, which are a range of its own outside.
  range,
};

// Whether root here is root of the machine: the ids are those of the first user namespace.
bool is_machines_root();

// Gives a process in a new user namespace its one user.
void give_one_user(pid_t process);

// Gives a process in a new user namespace a range of users, and shows the root's files to it with the owners that they have.
// False where the kernel, or the file system of the root, cannot show them so; nothing has changed then but the process.
// @param first the range's first number outside
bool give_range(pid_t process, uid_t first, const Taken& taken);

}  // namespace lamina::sandbox
