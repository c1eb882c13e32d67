// Writes the index of a directory, independently of the code that reads it: what docs/format.md says, no more.
#pragma once

#include <string>
#include <string_view>

namespace lamina::test {

// The bytes of the index of the tree at `root`. Overlay marks are those that begin with `prefix` ("trusted.overlay." or
// "user.overlay.").
std::string make_index(const std::string& root, const std::string& prefix);
// Recomputes the checksum of bytes that a test has changed.
void reseal_index(std::string& bytes);

}  // namespace lamina::test
