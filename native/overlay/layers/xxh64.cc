#include "overlay/layers/xxh64.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wcast-qual"
#pragma GCC diagnostic ignored "-Wundef"
#define XXH_INLINE_ALL  // no library to be present at run time
#include <xxhash.h>
#pragma GCC diagnostic pop

namespace lamina::overlay {

std::uint64_t xxh64(std::span<const std::byte> data) { return XXH64(data.data(), data.size(), 0); }

}  // namespace lamina::overlay
