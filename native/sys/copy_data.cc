// Copying a file's content: shared where the file system can, else by data segment, so that holes stay holes.
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "sys/data.h"
#include "sys/retry.h"
#include "sys/status.h"

namespace lamina::sys {

namespace {

constexpr std::uint64_t chunk = std::uint64_t{8} * 1024 * 1024;

// The file system, or this pair of files, does not support the call: another way may work.
bool unsupported(Errno error) {
  switch (error.value) {
    case EOPNOTSUPP:
    case EXDEV:
    case EINVAL:
    case ENOTTY:
    case ENOSYS:
    case ETXTBSY:
      return true;
    default:
      return false;
  }
}

struct Range {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  [[nodiscard]] std::uint64_t size() const { return end - begin; }
};

Status copy_through_memory(int from, int to, Range range) {
  std::vector<std::byte> buffer(std::min<std::uint64_t>(range.size(), std::uint64_t{1024} * 1024));
  while (range.begin < range.end) {
    const std::size_t wanted = std::min<std::uint64_t>(buffer.size(), range.size());
    LAMINA_ASSIGN(const std::size_t length, read_at(from, std::span(buffer).first(wanted), range.begin));
    if (length == 0) return Errno{EIO};  // shorter than its stated size
    LAMINA_TRY(write_all_at(to, std::span(buffer).first(length), range.begin));
    range.begin += length;
  }
  return {};
}

// copy_file_range(2), and through memory where it cannot.
Status copy_piece(int from, int to, Range range) {
  while (range.begin < range.end) {
    const auto length = copy_range(from, range.begin, to, range.begin, range.size());
    // Some file systems return 0 where read(2) does return data.
    if (length.ok() ? *length == 0 : unsupported(length.error())) return copy_through_memory(from, to, range);
    if (!length.ok()) return length.error();
    range.begin += *length;
  }
  return {};
}

// The first range of data at or after `from`; empty at `size` where there is none.
Result<Range> next_data(int descriptor, std::uint64_t from, std::uint64_t size) {
  const auto data = seek(descriptor, static_cast<std::int64_t>(from), SEEK_DATA);
  if (data.failed_with(ENXIO)) return Range{size, size};
  if (!data.ok()) return unsupported(data.error()) ? Result<Range>(Range{from, size}) : data.error();
  if (*data >= size) return Range{size, size};
  LAMINA_ASSIGN(const std::uint64_t hole, seek(descriptor, static_cast<std::int64_t>(*data), SEEK_HOLE));
  return Range{*data, std::min(hole, size)};
}

Result<std::uint64_t> copy_segments(int from, int to, std::uint64_t size, const Interrupted& interrupted) {
  std::uint64_t copied = 0;
  std::uint64_t at = 0;
  while (at < size) {
    LAMINA_ASSIGN(Range range, next_data(from, at, size));
    at = range.end;
    while (range.begin < range.end) {
      if (interrupted && interrupted()) return Errno{EINTR};
      const Range piece{range.begin, std::min(range.end, range.begin + chunk)};
      LAMINA_TRY(copy_piece(from, to, piece));
      copied += piece.size();
      range.begin = piece.end;
    }
  }
  LAMINA_TRY(set_size(to, size));
  return copied;
}

}  // namespace

Status clone_data(int from, int to) {
  return status_from([&] { return ::ioctl(to, FICLONE, from); });
}

Result<std::uint64_t> copy_data(int from, int to, std::uint64_t size, const Interrupted& interrupted) {
  LAMINA_ASSIGN(const FileStatus source, status_of(from));
  if (source.size < size) return Errno{EIO};
  if (size == 0) return std::uint64_t{0};
  const Status cloned = clone_data(from, to);
  if (!cloned.ok()) return unsupported(cloned.error()) ? copy_segments(from, to, size, interrupted) : cloned.error();
  if (source.size > size) LAMINA_TRY(set_size(to, size));
  return std::uint64_t{0};
}

}  // namespace lamina::sys
