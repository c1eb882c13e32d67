// The index of a small tree as in docs/format-index.md, made from the fuzzer's bytes, and then with a few numbers set
// to others. Header and checksum match the result, so that more than their checks is tested.
#pragma once

#include <string>

#include "fuzz/input.h"

namespace lamina::fuzz {

std::string make_index_image(Input& input);

}  // namespace lamina::fuzz
