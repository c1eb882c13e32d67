// What tests execute from the file system under test: this very program, copied there.
#pragma once

#include <string>
#include <vector>

#include "support/path.h"

namespace conformance {

// Copies this program to `path`, executable by all.
void install_helper(const Path& path);

// Executes the program at `path` with `arguments` after --helper; returns its exit code, or -1 with the errno of
// execve.
int execute_helper(const Path& path, const std::vector<std::string>& arguments);

// The other side; returns the exit code.
//   exit N             ends with N
//   effective-user     ends with the effective user, modulo 256
//   effective-group    the same of the group
//   wait               waits until its standard input ends
int run_helper(const std::vector<std::string>& arguments);

}  // namespace conformance
