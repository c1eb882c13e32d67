#include "sys/status.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#include "sys/c_string.h"
#include "sys/retry.h"

namespace lamina::sys {

namespace {

FileTime time_of(const struct statx_timestamp& time) { return {time.tv_sec, time.tv_nsec}; }

FileStatus convert(const struct statx& from) {
  FileStatus to;
  to.device = gnu_dev_makedev(from.stx_dev_major, from.stx_dev_minor);
  to.ino = from.stx_ino;
  to.size = from.stx_size;
  to.blocks = from.stx_blocks;
  to.atime = time_of(from.stx_atime);
  to.mtime = time_of(from.stx_mtime);
  to.ctime = time_of(from.stx_ctime);
  if ((from.stx_mask & STATX_BTIME) != 0) to.btime = time_of(from.stx_btime);
  to.mode = from.stx_mode;
  to.nlink = from.stx_nlink;
  to.uid = from.stx_uid;
  to.gid = from.stx_gid;
  to.rdev_major = from.stx_rdev_major;
  to.rdev_minor = from.stx_rdev_minor;
  to.block_size = from.stx_blksize;
  if ((from.stx_mask & STATX_MNT_ID) != 0) to.mount_id = from.stx_mnt_id;
  to.immutable = (from.stx_attributes & STATX_ATTR_IMMUTABLE) != 0;
  to.append_only = (from.stx_attributes & STATX_ATTR_APPEND) != 0;
  to.mount_root = (from.stx_attributes & from.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) != 0;
  return to;
}

Result<FileStatus> call_statx(int directory, const char* path, int flags) {
  struct statx status = {};
  constexpr unsigned mask = STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID;
  LAMINA_TRY(status_from([&] { return ::statx(directory, path, flags | AT_NO_AUTOMOUNT, mask, &status); }));
  return convert(status);
}

}  // namespace

Result<FileStatus> status_at(int directory, std::string_view name) {
  const Name child(name);
  LAMINA_TRY(child.check());
  return call_statx(directory, child.get(), AT_SYMLINK_NOFOLLOW | (name.empty() ? AT_EMPTY_PATH : 0));
}

Result<FileStatus> status_of_path(std::string_view path) {
  const CString name(path);
  LAMINA_TRY(name.check());
  return call_statx(AT_FDCWD, name.get(), 0);
}

Result<FileSystemStatus> file_system_status(int descriptor) {
  struct statfs from = {};
  LAMINA_TRY(status_from([&] { return ::fstatfs(descriptor, &from); }));
  FileSystemStatus to;
  to.type = static_cast<std::uint64_t>(from.f_type);
  to.blocks = from.f_blocks;
  to.blocks_free = from.f_bfree;
  to.blocks_available = from.f_bavail;
  to.files = from.f_files;
  to.files_free = from.f_ffree;
  to.block_size = static_cast<std::uint32_t>(from.f_bsize);
  to.name_length = static_cast<std::uint32_t>(from.f_namelen);
  to.fragment_size = static_cast<std::uint32_t>(from.f_frsize);
  constexpr decltype(from.f_flags) st_rdonly = 1;
  to.read_only = (from.f_flags & st_rdonly) != 0;
  return to;
}

}  // namespace lamina::sys
