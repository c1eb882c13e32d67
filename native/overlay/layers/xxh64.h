// xxh64 with seed 0, the hash of names and contents in an index (docs/format-index.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace lamina::overlay {

std::uint64_t xxh64(std::span<const std::byte> data);
inline std::uint64_t xxh64(std::string_view text) { return xxh64(std::as_bytes(std::span(text.data(), text.size()))); }

}  // namespace lamina::overlay
