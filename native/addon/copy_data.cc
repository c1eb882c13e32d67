// Copying a file's content without filling its holes.
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "addon/syscalls.h"

namespace lamina::addon {

using sys::last_error;
using sys::Result;
using sys::Status;

namespace {

// The file system, or this pair of files, does not support the call: another way may work.
bool unsupported(int number) {
  return number == EOPNOTSUPP || number == EXDEV || number == EINVAL || number == ENOTTY || number == ENOSYS;
}

struct Range {
  off_t begin = 0;
  off_t end = 0;
};

Status write_fully(int to, const char* data, std::size_t size, off_t at) {
  while (size > 0) {
    const ssize_t written = ::pwrite(to, data, size, at);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return last_error();
    data += written;
    at += written;
    size -= static_cast<std::size_t>(written);
  }
  return {};
}

Status copy_through_memory(int from, int to, Range range) {
  std::vector<char> buffer(std::size_t{256} * 1024);
  while (range.begin < range.end) {
    const auto wanted = std::min<std::size_t>(buffer.size(), static_cast<std::size_t>(range.end - range.begin));
    const ssize_t length = ::pread(from, buffer.data(), wanted, range.begin);
    if (length < 0 && errno == EINTR) continue;
    if (length < 0) return last_error();
    if (length == 0) return {};  // the source became shorter
    LAMINA_TRY(write_fully(to, buffer.data(), static_cast<std::size_t>(length), range.begin));
    range.begin += length;
  }
  return {};
}

// copy_file_range(2), and through memory where it cannot.
Status copy_range(int from, int to, Range range) {
  while (range.begin < range.end) {
    off_t in = range.begin;
    off_t out = range.begin;
    const ssize_t length = ::copy_file_range(from, &in, to, &out, static_cast<std::size_t>(range.end - range.begin), 0);
    if (length < 0 && errno == EINTR) continue;
    // Some file systems return 0 where read(2) does return data.
    if (length == 0 || (length < 0 && unsupported(errno))) return copy_through_memory(from, to, range);
    if (length < 0) return last_error();
    range.begin += length;
  }
  return {};
}

// The first range of data at or after `from`, empty at the end of the file.
Result<Range> next_data(int descriptor, off_t from, off_t size) {
  const off_t data = ::lseek(descriptor, from, SEEK_DATA);
  if (data < 0 && errno == ENXIO) return Range{size, size};
  if (data < 0 && unsupported(errno)) return Range{from, size};  // no holes known
  if (data < 0) return last_error();
  const off_t hole = ::lseek(descriptor, data, SEEK_HOLE);
  if (hole < 0) return last_error();
  return Range{data, std::min(hole, size)};
}

}  // namespace

Status clone_file(int from, int to) {
  if (::ioctl(to, FICLONE, from) != 0) return last_error();
  return {};
}

Result<std::int64_t> copy_file_data(int from, int to) {
  if (::ftruncate(to, 0) != 0) return last_error();
  const Status cloned = clone_file(from, to);
  if (cloned.ok()) return std::int64_t{0};
  if (!unsupported(cloned.error().value)) return cloned.error();

  struct stat status = {};
  if (::fstat(from, &status) != 0) return last_error();
  std::int64_t copied = 0;
  for (off_t at = 0; at < status.st_size;) {
    LAMINA_ASSIGN(const Range range, next_data(from, at, status.st_size));
    if (range.begin >= range.end) break;
    LAMINA_TRY(copy_range(from, to, range));
    copied += range.end - range.begin;
    at = range.end;
  }
  if (::ftruncate(to, status.st_size) != 0) return last_error();
  return copied;
}

}  // namespace lamina::addon
