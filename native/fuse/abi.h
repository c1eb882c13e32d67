// The wire format of the FUSE protocol 7.x as the kernel's include/uapi/linux/fuse.h defines it. Our own, because distributions'
// headers are older than the kernels they run on. Sizes are checked; all integers are the machine's own.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lamina::fuse::abi {

inline constexpr std::uint32_t major_version = 7;
inline constexpr std::uint32_t minor_version = 40;
inline constexpr std::uint32_t oldest_minor = 31;  // Linux 5.4 and FUSE_INIT's whole reply

enum class Opcode : std::uint32_t {
  lookup = 1,
  forget = 2,
  getattr = 3,
  setattr = 4,
  readlink = 5,
  symlink = 6,
  mknod = 8,
  mkdir = 9,
  unlink = 10,
  rmdir = 11,
  rename = 12,
  link = 13,
  open = 14,
  read = 15,
  write = 16,
  statfs = 17,
  release = 18,
  fsync = 20,
  setxattr = 21,
  getxattr = 22,
  listxattr = 23,
  removexattr = 24,
  flush = 25,
  init = 26,
  opendir = 27,
  readdir = 28,
  releasedir = 29,
  fsyncdir = 30,
  getlk = 31,
  setlk = 32,
  setlkw = 33,
  access = 34,
  create = 35,
  interrupt = 36,
  bmap = 37,
  destroy = 38,
  ioctl = 39,
  poll = 40,
  notify_reply = 41,
  batch_forget = 42,
  fallocate = 43,
  readdirplus = 44,
  rename2 = 45,
  lseek = 46,
  copy_file_range = 47,
  setupmapping = 48,
  removemapping = 49,
  syncfs = 50,
  tmpfile = 51,
  statx = 52,
};
inline constexpr std::size_t opcode_limit = 64;

// FUSE_INIT flags: the low 32 bits in `flags`, the others in `flags2`.
namespace init {
inline constexpr std::uint64_t async_read = 1ULL << 0;
inline constexpr std::uint64_t atomic_o_trunc = 1ULL << 3;
inline constexpr std::uint64_t export_support = 1ULL << 4;
inline constexpr std::uint64_t big_writes = 1ULL << 5;
inline constexpr std::uint64_t dont_mask = 1ULL << 6;
inline constexpr std::uint64_t auto_inval_data = 1ULL << 12;
inline constexpr std::uint64_t do_readdirplus = 1ULL << 13;
inline constexpr std::uint64_t readdirplus_auto = 1ULL << 14;
inline constexpr std::uint64_t async_dio = 1ULL << 15;
inline constexpr std::uint64_t writeback_cache = 1ULL << 16;
inline constexpr std::uint64_t no_open_support = 1ULL << 17;
inline constexpr std::uint64_t parallel_dirops = 1ULL << 18;
inline constexpr std::uint64_t posix_acl = 1ULL << 20;
inline constexpr std::uint64_t max_pages = 1ULL << 22;
inline constexpr std::uint64_t cache_symlinks = 1ULL << 23;
inline constexpr std::uint64_t no_opendir_support = 1ULL << 24;
inline constexpr std::uint64_t explicit_inval_data = 1ULL << 25;
inline constexpr std::uint64_t handle_killpriv_v2 = 1ULL << 28;
inline constexpr std::uint64_t setxattr_ext = 1ULL << 29;
inline constexpr std::uint64_t init_ext = 1ULL << 30;
}  // namespace init

struct InHeader {
  std::uint32_t len, opcode;
  std::uint64_t unique, nodeid;
  std::uint32_t uid, gid, pid;
  std::uint16_t total_extlen, padding;
};
static_assert(sizeof(InHeader) == 40);

struct OutHeader {
  std::uint32_t len;
  std::int32_t error;
  std::uint64_t unique;
};
static_assert(sizeof(OutHeader) == 16);

struct Attr {
  std::uint64_t ino, size, blocks, atime, mtime, ctime;
  std::uint32_t atimensec, mtimensec, ctimensec, mode, nlink, uid, gid, rdev, blksize, flags;
};
static_assert(sizeof(Attr) == 88);

struct EntryOut {
  std::uint64_t nodeid, generation, entry_valid, attr_valid;
  std::uint32_t entry_valid_nsec, attr_valid_nsec;
  Attr attr;
};
static_assert(sizeof(EntryOut) == 128);

struct AttrOut {
  std::uint64_t attr_valid;
  std::uint32_t attr_valid_nsec, dummy;
  Attr attr;
};
static_assert(sizeof(AttrOut) == 104);

struct ForgetIn {
  std::uint64_t nlookup;
};
struct ForgetOne {
  std::uint64_t nodeid, nlookup;
};
struct BatchForgetIn {
  std::uint32_t count, dummy;
};

struct SetattrIn {
  std::uint32_t valid, padding;
  std::uint64_t fh, size, lock_owner, atime, mtime, ctime;
  std::uint32_t atimensec, mtimensec, ctimensec, mode, unused4, uid, gid, unused5;
};
static_assert(sizeof(SetattrIn) == 88);
namespace setattr {
inline constexpr std::uint32_t mode = 1U << 0, uid = 1U << 1, gid = 1U << 2, size = 1U << 3, atime = 1U << 4, mtime = 1U << 5,
                               atime_now = 1U << 7, mtime_now = 1U << 8, kill_suidgid = 1U << 11;
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
struct CreateIn {
  std::uint32_t flags, mode, umask, open_flags;
};
struct OpenOut {
  std::uint64_t fh;
  std::uint32_t open_flags;
  std::int32_t backing_id;
};
static_assert(sizeof(OpenOut) == 16);
namespace open {
inline constexpr std::uint32_t keep_cache = 1U << 1, cache_dir = 1U << 3, noflush = 1U << 5, kill_suidgid = 1U << 0;
}

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

inline constexpr std::size_t dirent_size(std::size_t name_length) { return (sizeof(Dirent) + name_length + 7) & ~std::size_t{7}; }

}  // namespace lamina::fuse::abi
