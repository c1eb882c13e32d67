#include "sys/data.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "sys/retry.h"

namespace lamina::sys {

namespace {

Result<std::size_t> length_from(ssize_t length) {
  if (length < 0) return last_error();
  return static_cast<std::size_t>(length);
}

off_t offset_of(std::uint64_t offset) { return static_cast<off_t>(offset); }

}  // namespace

Result<std::size_t> read_at(int descriptor, std::span<std::byte> buffer, std::uint64_t offset) {
  return length_from(retry([&] { return ::pread(descriptor, buffer.data(), buffer.size(), offset_of(offset)); }));
}

Result<std::size_t> write_at(int descriptor, std::span<const std::byte> data, std::uint64_t offset) {
  return length_from(retry([&] { return ::pwrite(descriptor, data.data(), data.size(), offset_of(offset)); }));
}

Status write_all_at(int descriptor, std::span<const std::byte> data, std::uint64_t offset) {
  while (!data.empty()) {
    LAMINA_ASSIGN(const std::size_t written, write_at(descriptor, data, offset));
    if (written == 0) return Errno{EIO};
    data = data.subspan(written);
    offset += written;
  }
  return {};
}

Status write_all(int descriptor, std::string_view data) {
  while (!data.empty()) {
    LAMINA_ASSIGN(const std::size_t written,
                  length_from(retry([&] { return ::write(descriptor, data.data(), data.size()); })));
    if (written == 0) return Errno{EIO};
    data.remove_prefix(written);
  }
  return {};
}

Result<std::string> read_whole(int descriptor, std::size_t limit) {
  std::string content;
  while (true) {
    constexpr std::size_t step = 16384;
    const std::size_t old = content.size();
    content.resize(old + step);
    LAMINA_ASSIGN(const std::size_t length,
                  length_from(retry([&] { return ::read(descriptor, content.data() + old, step); })));
    content.resize(old + length);
    if (length == 0) return content;
    if (content.size() > limit) return Errno{EFBIG};
  }
}

Status set_size(int descriptor, std::uint64_t size) {
  return status_from([&] { return ::ftruncate(descriptor, offset_of(size)); });
}

Status allocate(int descriptor, int mode, std::uint64_t offset, std::uint64_t length) {
  return status_from([&] { return ::fallocate(descriptor, mode, offset_of(offset), offset_of(length)); });
}

Result<std::uint64_t> seek(int descriptor, std::int64_t offset, int whence) {
  const off_t at = ::lseek(descriptor, offset, whence);
  if (at < 0) return last_error();
  return static_cast<std::uint64_t>(at);
}

Result<std::size_t> copy_range(int from, std::uint64_t from_offset, int to, std::uint64_t to_offset,
                               std::size_t length) {
  off_t in = offset_of(from_offset);
  off_t out = offset_of(to_offset);
  return length_from(retry([&] { return ::copy_file_range(from, &in, to, &out, length, 0); }));
}

void will_read(int descriptor, std::uint64_t length) {
  static_cast<void>(::posix_fadvise(descriptor, 0, static_cast<off_t>(length), POSIX_FADV_WILLNEED));
}

Status sync(int descriptor) {
  return status_from([&] { return ::fsync(descriptor); });
}

Status sync_data(int descriptor) {
  return status_from([&] { return ::fdatasync(descriptor); });
}

Status sync_file_system(int descriptor) {
  return status_from([&] { return ::syncfs(descriptor); });
}

Status try_lock(int descriptor, Lock kind) {
  return status_from([&] { return ::flock(descriptor, (kind == Lock::shared ? LOCK_SH : LOCK_EX) | LOCK_NB); });
}

}  // namespace lamina::sys
