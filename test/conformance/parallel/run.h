// `conformance --parallel SECONDS`: workers in one tree, and what must hold afterwards.
#pragma once

#include "support/scratch.h"

namespace conformance {

// Lets the workers go for `seconds` in settings().mount / "parallel", then compares the tree with what the workers
// expect, and again after a remount. Prints what differs; returns the exit code.
int run_parallel(unsigned seconds, unsigned seed);

// Prints the tree at `root` as `describe` does.
void print_tree(const Path& root);

}  // namespace conformance
