// The root of a sandbox, and what is mounted in it.
#pragma once

#include <vector>

#include "sandbox/spec.h"

namespace lamina::sandbox {

// Mounts that are made on the host's side, before the sandbox has a root of its own. -1: missing.
struct Taken {
  int root = -1;
  std::vector<int> nodes;
  // As in Spec.
  std::vector<int> shown;
};

// Call it in a private mount namespace.
// @param as_root of the host
Taken take(const Spec& spec, bool as_root);

// Makes the root this process's, in mount, process and IPC namespaces of its own, with all that is mounted in it;
// nothing that was mounted before is left.
// @param own_users it has a user namespace of its own
void enter_root(const Spec& spec, const Taken& taken, bool own_users);

}  // namespace lamina::sandbox
