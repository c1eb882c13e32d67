// The privileges of a process in a sandbox.
#pragma once

#include <string>
#include <vector>

#include "sandbox/spec.h"

namespace lamina::sandbox {

// Reads a filter of system calls, a classic BPF program as in seccomp(2).
std::string read_filter(int file);

// For this process and all that follow: no other capability than these can be regained, none is inherited by users
// other than root, and the filter is in force. Ends the process where that fails.
void limit_privileges(const Spec& spec, const std::string& filter);

// Becomes the user that the command runs as.
void become_user(const Spec& spec);

}  // namespace lamina::sandbox
