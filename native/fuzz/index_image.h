// The index of a small tree as docs/format.md has it, made of the bytes that the fuzzer gives, and then with a few numbers set to
// others. Header and checksum fit what comes out, so that more than their checks is tried.
#pragma once

#include <string>

#include "fuzz/input.h"

namespace lamina::fuzz {

std::string make_index_image(Input& input);

}  // namespace lamina::fuzz
