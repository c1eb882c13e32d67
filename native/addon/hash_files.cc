// The hashes of many files in one call: a call from JavaScript costs more than hashing a small file.
#include <sys/stat.h>
#include <unistd.h>

#include <bit>
#include <cstring>
#include <vector>

#include "addon/content_hash.h"
#include "addon/open_to_read.h"
#include "addon/syscalls.h"
#include "sys/file_descriptor.h"

namespace lamina::addon {

using sys::last_error;
using sys::Result;

namespace {

static_assert(std::endian::native == std::endian::little, "the answer is written as it lies in memory");

constexpr std::size_t chunk_size = std::size_t{256} * 1024;

Result<FileHash> hash_file(const char* path, HashKinds kinds, std::vector<char>& chunk) {
  auto file = open_to_read(path);
  if (!file.ok()) return file.error();
  ContentHash hashes(kinds);
  for (;;) {
    const ssize_t length = ::read(file->get(), chunk.data(), chunk.size());
    if (length < 0 && errno == EINTR) continue;
    if (length < 0) return last_error();
    if (length == 0) return hashes.result();
    hashes.add(chunk.data(), static_cast<std::size_t>(length));
  }
}

}  // namespace

std::string hash_files(std::string_view paths, HashKinds kinds) {
  static_assert(sizeof(FileHash) == 48);
  std::vector<char> chunk(chunk_size);
  std::string answer;
  while (!paths.empty()) {
    const std::size_t end = std::min(paths.find('\0'), paths.size());
    const auto result = hash_file(std::string(paths.substr(0, end)).c_str(), kinds, chunk);
    const FileHash hash =
        result.ok() ? result.value() : FileHash{.error = static_cast<std::uint64_t>(result.error().value)};
    char bytes[sizeof hash];
    std::memcpy(bytes, &hash, sizeof hash);
    answer.append(bytes, sizeof bytes);
    paths.remove_prefix(std::min(end + 1, paths.size()));
  }
  return answer;
}

std::string hash_bytes(std::span<const std::string_view> pieces) {
  ContentHash content({.blake3 = true, .xxh64 = false});
  for (const auto piece : pieces) content.add(piece.data(), piece.size());
  const FileHash hash = content.result();
  std::string answer(sizeof hash.blake3, '\0');
  std::memcpy(answer.data(), hash.blake3, sizeof hash.blake3);
  return answer;
}

}  // namespace lamina::addon
