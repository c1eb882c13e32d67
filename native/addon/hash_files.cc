// The hashes of many files in one call: what a call from JavaScript costs is more than hashing a small file does.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bit>
#include <cstring>
#include <vector>

#include "addon/syscalls.h"
#include "sys/file_descriptor.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wcast-qual"
#pragma GCC diagnostic ignored "-Wundef"
#define XXH_INLINE_ALL  // no library to be present at run time
#include <xxhash.h>
#pragma GCC diagnostic pop

namespace lamina::addon {

using sys::last_error;
using sys::Result;

namespace {

static_assert(std::endian::native == std::endian::little, "the answer is written as it lies in memory");

constexpr std::size_t chunk_size = std::size_t{256} * 1024;

// O_NONBLOCK: should a FIFO lie where a file was, opening it must not wait. O_NOATIME only the owner may ask for (open(2)).
Result<sys::FileDescriptor> open_to_read(const char* path) {
  constexpr int flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
  int descriptor = ::open(path, flags | O_NOATIME);
  if (descriptor < 0 && errno == EPERM) descriptor = ::open(path, flags);
  if (descriptor < 0) return last_error();
  return sys::FileDescriptor(descriptor);
}

Result<std::uint64_t> hash_file(const char* path, std::vector<char>& chunk) {
  auto file = open_to_read(path);
  if (!file.ok()) return file.error();
  XXH64_state_t state;
  XXH64_reset(&state, 0);
  for (;;) {
    const ssize_t length = ::read(file->get(), chunk.data(), chunk.size());
    if (length < 0 && errno == EINTR) continue;
    if (length < 0) return last_error();
    if (length == 0) return XXH64_digest(&state);
    XXH64_update(&state, chunk.data(), static_cast<std::size_t>(length));
  }
}

void append(std::string& answer, std::uint64_t number) {
  char bytes[sizeof number];
  std::memcpy(bytes, &number, sizeof number);
  answer.append(bytes, sizeof bytes);
}

}  // namespace

std::string hash_files(std::string_view paths) {
  std::vector<char> chunk(chunk_size);
  std::string answer;
  while (!paths.empty()) {
    const std::size_t end = std::min(paths.find('\0'), paths.size());
    const auto hash = hash_file(std::string(paths.substr(0, end)).c_str(), chunk);
    append(answer, hash.ok() ? 0 : static_cast<std::uint64_t>(hash.error().value));
    append(answer, hash.ok() ? hash.value() : 0);
    paths.remove_prefix(std::min(end + 1, paths.size()));
  }
  return answer;
}

}  // namespace lamina::addon
