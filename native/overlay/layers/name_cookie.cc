#include "overlay/layers/layer.h"
#include "overlay/layers/xxh64.h"

namespace lamina::overlay {

std::uint64_t cookie_of_hash(std::uint64_t name_hash) {
  constexpr std::uint64_t low_bits = 3;  // 1 and 2 are the offsets of "." and ".."
  return ((name_hash >> 1) & ~low_bits) | 4U;
}

std::uint64_t name_cookie(std::string_view name) { return cookie_of_hash(xxh64(name)); }

}  // namespace lamina::overlay
