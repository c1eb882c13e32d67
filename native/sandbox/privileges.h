// What a process of a sandbox may do.
#pragma once

#include <string>
#include <vector>

#include "sandbox/spec.h"

namespace lamina::sandbox {

// Reads a filter of system calls, a classic BPF program as seccomp(2) has it.
std::string read_filter(int file);

// For this process and all that follow: no other capability than these can be had again, none is inherited by who is not root,
// and the filter holds. Ends the process where that fails.
void limit_privileges(const Spec& spec, const std::string& filter);

// Becomes the user that the command runs as.
void become_user(const Spec& spec);

}  // namespace lamina::sandbox
