// What a file system says of many entries of a directory, in one call: a call from JavaScript costs more than reading
// one.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "addon/syscalls.h"

namespace lamina::addon {

using sys::last_error;
using sys::Result;

namespace {

static_assert(std::endian::native == std::endian::little, "the answer is written as it lies in memory");

// An entry of the answer; src/platform/native/entries.ts reads it. Its name, target and attributes follow it.
struct Record {
  std::uint32_t mode, links, uid, gid;
  std::uint64_t device, inode, special, size, blocks;
  std::int64_t access, modification, change, birth;
  std::uint32_t access_ns, modification_ns, change_ns, birth_ns;
  std::uint32_t target_length, attributes_length;
  std::uint32_t error, failed;  // an errno, and what failed: 1 statx, 2 readlink, 3 reading attributes
};
static_assert(sizeof(Record) == 120);

Record record_of(const struct statx& status) {
  Record record{};
  record.mode = status.stx_mode;
  record.links = status.stx_nlink;
  record.uid = status.stx_uid;
  record.gid = status.stx_gid;
  record.device = gnu_dev_makedev(status.stx_dev_major, status.stx_dev_minor);
  record.inode = status.stx_ino;
  record.special = gnu_dev_makedev(status.stx_rdev_major, status.stx_rdev_minor);
  record.size = status.stx_size;
  record.blocks = status.stx_blocks;
  record.access = status.stx_atime.tv_sec;
  record.access_ns = status.stx_atime.tv_nsec;
  record.modification = status.stx_mtime.tv_sec;
  record.modification_ns = status.stx_mtime.tv_nsec;
  record.change = status.stx_ctime.tv_sec;
  record.change_ns = status.stx_ctime.tv_nsec;
  record.birth = status.stx_btime.tv_sec;
  record.birth_ns = status.stx_btime.tv_nsec;
  return record;
}

Result<std::string> link_target(const char* path, std::uint64_t size) {
  // Some file systems report no size of a symlink.
  std::string target(std::max<std::size_t>(size + 1, 256), '\0');
  for (;;) {
    const ssize_t length = ::readlink(path, target.data(), target.size());
    if (length < 0) return last_error();
    if (static_cast<std::size_t>(length) < target.size()) {
      target.resize(static_cast<std::size_t>(length));
      return target;
    }
    target.resize(target.size() * 2);
  }
}

void append_entry(std::string& answer, const std::string& path, bool with_details) {
  struct statx status {};
  Record record{};
  std::string target;
  std::string attributes;
  const auto fail = [&](std::uint32_t what, int error) {
    record.failed = what;
    record.error = static_cast<std::uint32_t>(error);
  };
  if (::statx(AT_FDCWD, path.c_str(), AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_BTIME, &status) != 0) {
    fail(1, errno);
  } else {
    record = record_of(status);
  }
  if (record.error == 0 && with_details && S_ISLNK(record.mode)) {
    auto read = link_target(path.c_str(), record.size);
    if (read.ok())
      target = std::move(*read);
    else
      fail(2, read.error().value);
  }
  if (record.error == 0 && with_details) {
    auto read = read_xattrs(path);
    if (read.ok())
      attributes = std::move(*read);
    else
      fail(3, read.error().value);
  }
  record.target_length = static_cast<std::uint32_t>(target.size());
  record.attributes_length = static_cast<std::uint32_t>(attributes.size());
  char bytes[sizeof record];
  std::memcpy(bytes, &record, sizeof record);
  answer.append(bytes, sizeof bytes).append(target).append(attributes);
  answer.resize((answer.size() + 7) / 8 * 8);
}

}  // namespace

std::string read_entries(const std::string& prefix, std::string_view names, bool with_details) {
  std::string answer;
  std::string path = prefix;
  while (!names.empty()) {
    const std::size_t end = std::min(names.find('\0'), names.size());
    path.resize(prefix.size());
    path.append(names.substr(0, end));
    append_entry(answer, path, with_details);
    names.remove_prefix(std::min(end + 1, names.size()));
  }
  return answer;
}

}  // namespace lamina::addon
