// The users of a sandbox.
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
  // A user namespace with the numbers below IdRange::count, which are a separate range outside.
  range,
};

// Whether root here is root of the machine: the ids are those of the first user namespace.
bool is_machines_root();

// Maps the single user of a process in a new user namespace.
void give_one_user(pid_t process);

// Maps a range of users for a process in a new user namespace, and shows the root's files to it with the owners that
// they have. False where the kernel, or the file system of the root, cannot show them so; then only the process has
// changed.
// @param first the range's first number outside
bool give_range(pid_t process, uid_t first, const Taken& taken);

}  // namespace lamina::sandbox
