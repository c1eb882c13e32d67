// What follows the header of each operation, and of its answer.
#pragma once

#include <array>

#include "fuse/abi.h"

namespace lamina::fuse::abi {

struct ForgetIn {
  std::uint64_t nlookup;
};
static_assert(sizeof(ForgetIn) == 8);
struct ForgetOne {
  std::uint64_t nodeid, nlookup;
};
static_assert(sizeof(ForgetOne) == 16);
struct BatchForgetIn {
  std::uint32_t count, dummy;
};
static_assert(sizeof(BatchForgetIn) == 8);

struct GetattrIn {
  std::uint32_t getattr_flags, dummy;
  std::uint64_t fh;
};
static_assert(sizeof(GetattrIn) == 16);
inline constexpr std::uint32_t getattr_by_handle = 1U << 0;
struct SetattrIn {
  std::uint32_t valid, padding;
  std::uint64_t fh, size, lock_owner, atime, mtime, ctime;
  std::uint32_t atimensec, mtimensec, ctimensec, mode, unused4, uid, gid, unused5;
};
static_assert(sizeof(SetattrIn) == 88);
namespace setattr {
inline constexpr std::uint32_t mode = 1U << 0, uid = 1U << 1, gid = 1U << 2, size = 1U << 3, atime = 1U << 4,
                               mtime = 1U << 5, atime_now = 1U << 7, mtime_now = 1U << 8, kill_suidgid = 1U << 11;
}

struct MknodIn {
  std::uint32_t mode, rdev, umask, padding;
};
struct MkdirIn {
  std::uint32_t mode, umask;
};
struct RenameIn {
  std::uint64_t newdir;
};
struct Rename2In {
  std::uint64_t newdir;
  std::uint32_t flags, padding;
};
struct LinkIn {
  std::uint64_t oldnodeid;
};
struct OpenIn {
  std::uint32_t flags, open_flags;
};
struct ReleaseIn {
  std::uint64_t fh;
  std::uint32_t flags, release_flags;
  std::uint64_t lock_owner;
};
static_assert(sizeof(ReleaseIn) == 24);
struct FlushIn {
  std::uint64_t fh;
  std::uint32_t unused, padding;
  std::uint64_t lock_owner;
};
static_assert(sizeof(FlushIn) == 24);
struct CreateIn {
  std::uint32_t flags, mode, umask, open_flags;
};
static_assert(sizeof(CreateIn) == 16);
struct OpenOut {
  std::uint64_t fh;
  std::uint32_t open_flags;
  std::int32_t backing_id;
};
static_assert(sizeof(OpenOut) == 16);
// Flags of OpenOut::open_flags (FOPEN_*).
namespace open {
inline constexpr std::uint32_t direct_io = 1U << 0, keep_cache = 1U << 1, cache_dir = 1U << 3, noflush = 1U << 5,
                               parallel_direct_writes = 1U << 6, passthrough = 1U << 7;
}
// Of OpenIn::open_flags and CreateIn::open_flags.
inline constexpr std::uint32_t open_kill_suidgid = 1U << 0;

// FUSE_DEV_IOC_BACKING_OPEN, for passthrough.
struct BackingMap {
  std::int32_t fd;
  std::uint32_t flags;
  std::uint64_t padding;
};
static_assert(sizeof(BackingMap) == 16);

struct ReadIn {
  std::uint64_t fh, offset;
  std::uint32_t size, read_flags;
  std::uint64_t lock_owner;
  std::uint32_t flags, padding;
};
static_assert(sizeof(ReadIn) == 40);
struct WriteIn {
  std::uint64_t fh, offset;
  std::uint32_t size, write_flags;
  std::uint64_t lock_owner;
  std::uint32_t flags, padding;
};
static_assert(sizeof(WriteIn) == 40);
inline constexpr std::uint32_t write_kill_suidgid = 1U << 2;
struct WriteOut {
  std::uint32_t size, padding;
};
static_assert(sizeof(WriteOut) == 8);

struct IoctlIn {
  std::uint64_t fh;
  std::uint32_t flags, cmd;
  std::uint64_t arg;
  std::uint32_t in_size, out_size;
};
static_assert(sizeof(IoctlIn) == 32);
struct IoctlOut {
  std::int32_t result;
  std::uint32_t flags, in_iovs, out_iovs;
};
static_assert(sizeof(IoctlOut) == 16);

struct Kstatfs {
  std::uint64_t blocks, bfree, bavail, files, ffree;
  std::uint32_t bsize, namelen, frsize, padding, spare[6];
};
static_assert(sizeof(Kstatfs) == 80);

struct FsyncIn {
  std::uint64_t fh;
  std::uint32_t fsync_flags, padding;
};
inline constexpr std::uint32_t fsync_fdatasync = 1U << 0;

struct SetxattrIn {
  std::uint32_t size, flags, setxattr_flags, padding;
};
static_assert(sizeof(SetxattrIn) == 16);
inline constexpr std::uint32_t setxattr_acl_kill_sgid = 1U << 0;
struct GetxattrIn {
  std::uint32_t size, padding;
};
struct GetxattrOut {
  std::uint32_t size, padding;
};

struct InitIn {
  std::uint32_t major, minor, max_readahead, flags, flags2, unused[11];
};
static_assert(sizeof(InitIn) == 64);
struct InitOut {
  std::uint32_t major, minor, max_readahead, flags;
  std::uint16_t max_background, congestion_threshold;
  std::uint32_t max_write, time_gran;
  std::uint16_t max_pages, map_alignment;
  std::uint32_t flags2, max_stack_depth;
  std::uint16_t request_timeout, unused[11];
};
static_assert(sizeof(InitOut) == 64);

struct InterruptIn {
  std::uint64_t unique;
};
struct FallocateIn {
  std::uint64_t fh, offset, length;
  std::uint32_t mode, padding;
};
static_assert(sizeof(FallocateIn) == 32);
struct LseekIn {
  std::uint64_t fh, offset;
  std::uint32_t whence, padding;
};
struct LseekOut {
  std::uint64_t offset;
};
struct CopyFileRangeIn {
  std::uint64_t fh_in, off_in, nodeid_out, fh_out, off_out, len, flags;
};
static_assert(sizeof(CopyFileRangeIn) == 56);
struct CopyFileRangeOut {  // of COPY_FILE_RANGE_64; else WriteOut
  std::uint64_t bytes_copied;
};
static_assert(sizeof(CopyFileRangeOut) == 8);

struct Dirent {
  std::uint64_t ino, off;
  std::uint32_t namelen, type;
};
static_assert(sizeof(Dirent) == 24);

struct SxTime {
  std::int64_t tv_sec;
  std::uint32_t tv_nsec;
  std::int32_t reserved;
};
struct StatxIn {
  std::uint32_t getattr_flags, reserved;
  std::uint64_t fh;
  std::uint32_t sx_flags, sx_mask;
};
static_assert(sizeof(StatxIn) == 24);
struct Statx {
  std::uint32_t mask, blksize;
  std::uint64_t attributes;
  std::uint32_t nlink, uid, gid;
  std::uint16_t mode, spare0;
  std::uint64_t ino, size, blocks, attributes_mask;
  SxTime atime, btime, ctime, mtime;
  std::uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
  std::uint64_t spare2[14];
};
static_assert(sizeof(Statx) == 256);
struct StatxOut {
  std::uint64_t attr_valid;
  std::uint32_t attr_valid_nsec, flags;
  std::uint64_t spare[2];
  Statx stat;
};
static_assert(sizeof(StatxOut) == 288);

// A notification is an answer to no request (unique 0); its code stands in OutHeader::error.
enum class NotifyCode : std::int32_t { inval_inode = 2, inval_entry = 3, resend = 7 };
struct NotifyInvalInodeOut {
  std::uint64_t ino;
  std::int64_t off, len;
};
static_assert(sizeof(NotifyInvalInodeOut) == 24);
struct NotifyInvalEntryOut {  // the name and NUL follow
  std::uint64_t parent;
  std::uint32_t namelen, flags;
};
static_assert(sizeof(NotifyInvalEntryOut) == 16);
inline constexpr std::uint32_t expire_only = 1U << 0;  // the name is looked up again; mounts below it stay

inline constexpr std::size_t dirent_size(std::size_t name_length) {
  return (sizeof(Dirent) + name_length + 7) & ~std::size_t{7};
}

// FUSE over io_uring: commands (enum fuse_uring_cmd) and the content of an entry's memory.
namespace ring {
inline constexpr std::uint32_t fetch_first = 1;  // FUSE_IO_URING_CMD_REGISTER
inline constexpr std::uint32_t commit_and_fetch = 2;
}  // namespace ring

struct RingCommand {
  std::uint64_t flags, commit_id;
  std::uint16_t queue;
  std::array<std::uint8_t, 6> padding;
};
static_assert(sizeof(RingCommand) == 24);

struct RingHeader {
  std::array<std::byte, 128> in_out;     // InHeader, and of an answer OutHeader
  std::array<std::byte, 128> structure;  // the first argument, if it is of a fixed size
  struct Entry {
    std::uint64_t flags, commit_id;
    std::uint32_t payload_size, padding;
    std::uint64_t reserved;
  } entry;
};
static_assert(sizeof(RingHeader) == 288);

}  // namespace lamina::fuse::abi
