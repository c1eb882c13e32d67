// Attributes of files (statx(2)) and of file systems.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string_view>

#include "sys/result.h"

namespace lamina::sys {

struct FileTime {
  std::int64_t seconds = 0;
  std::uint32_t nanoseconds = 0;
  friend bool operator==(const FileTime&, const FileTime&) = default;
};

struct FileStatus {
  std::uint64_t device = 0;  // makedev(3)
  std::uint64_t ino = 0;
  std::uint64_t size = 0;    // bytes
  std::uint64_t blocks = 0;  // of 512 bytes
  FileTime atime, mtime, ctime;
  FileTime btime;          // zero where the file system keeps none
  std::uint32_t mode = 0;  // type and permission bits, as st_mode
  std::uint32_t nlink = 0;
  std::uint32_t uid = 0, gid = 0;
  std::uint32_t rdev_major = 0, rdev_minor = 0;
  std::uint32_t block_size = 0;
  std::uint64_t mount_id = 0;
  bool immutable = false, append_only = false;  // chattr(1), as far as the file system reports it (STATX_ATTR_*)
  bool mount_root = false;                      // something is mounted here (false where the kernel does not report it)

  [[nodiscard]] std::uint32_t type() const { return mode & S_IFMT; }
  [[nodiscard]] bool is_directory() const { return type() == S_IFDIR; }
  [[nodiscard]] bool is_regular() const { return type() == S_IFREG; }
  [[nodiscard]] bool is_symlink() const { return type() == S_IFLNK; }
  // Character device 0:0, overlayfs's whiteout.
  [[nodiscard]] bool is_whiteout() const { return type() == S_IFCHR && rdev_major == 0 && rdev_minor == 0; }
};

// Of the child `name` of `directory`, or of the descriptor itself (O_PATH too) where `name` is "". Never follows a
// symlink.
Result<FileStatus> status_at(int directory, std::string_view name);
inline Result<FileStatus> status_of(int descriptor) { return status_at(descriptor, {}); }
// Of a path from the user; follows symlinks.
Result<FileStatus> status_of_path(std::string_view path);

// As statfs(2) counts: sizes in units of block_size.
struct FileSystemStatus {
  std::uint64_t type = 0;  // the magic number of linux/magic.h
  std::uint64_t blocks = 0, blocks_free = 0, blocks_available = 0, files = 0, files_free = 0;
  std::uint32_t block_size = 0, name_length = 0, fragment_size = 0;
  bool read_only = false;
};
Result<FileSystemStatus> file_system_status(int descriptor);

}  // namespace lamina::sys
