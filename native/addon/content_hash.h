// Hashes of a content that comes in pieces.
#pragma once

#include <cstddef>
#include <optional>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wcast-qual"
#pragma GCC diagnostic ignored "-Wundef"
#define XXH_INLINE_ALL  // no library to be present at run time
#include <xxhash.h>
#pragma GCC diagnostic pop
extern "C" {
#include <blake3.h>
}

#include "addon/syscalls.h"

namespace lamina::addon {

class ContentHash {
 public:
  explicit ContentHash(HashKinds kinds) {
    if (kinds.blake3) blake3_hasher_init(&blake3_.emplace());
    if (kinds.xxh64) XXH64_reset(&xxh64_.emplace(), 0);
  }

  void add(const char* data, std::size_t size) {
    if (blake3_) blake3_hasher_update(&*blake3_, data, size);
    if (xxh64_) XXH64_update(&*xxh64_, data, size);
  }

  [[nodiscard]] FileHash result() const {
    FileHash hash;
    if (blake3_) blake3_hasher_finalize(&*blake3_, hash.blake3, sizeof(hash.blake3));
    if (xxh64_) hash.xxh64 = XXH64_digest(&*xxh64_);
    return hash;
  }

 private:
  std::optional<blake3_hasher> blake3_;
  std::optional<XXH64_state_t> xxh64_;
};

}  // namespace lamina::addon
