// Writes the index of a directory, independently of the code that reads it: what docs/format-index.md says, no more.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace lamina::test {

// The bytes of the index of the tree at `root`. Overlay marks are those that begin with `prefix` ("trusted.overlay." or
// "user.overlay.").
// Of version 2 the hashes are any bytes: the driver does not read them.
std::string make_index(const std::string& root, const std::string& prefix, std::uint32_t version = 2);
// Recomputes the checksum of bytes that a test has changed.
void reseal_index(std::string& bytes);

}  // namespace lamina::test
