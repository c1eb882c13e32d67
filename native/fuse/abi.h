// The wire format of the FUSE protocol 7.x as the kernel's include/uapi/linux/fuse.h defines it. Our own, because
// distributions' headers are older than the kernels they run on. Sizes are checked; all integers are the machine's own.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lamina::fuse::abi {

inline constexpr std::uint32_t major_version = 7;
inline constexpr std::uint32_t minor_version = 45;  // Linux 6.18
inline constexpr std::uint32_t oldest_minor = 31;   // Linux 5.4 and FUSE_INIT's whole reply

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
  copy_file_range_64 = 53,
};
inline constexpr std::size_t opcode_limit = 64;

// INTERRUPT and a request sent again (after FUSE_NOTIFY_RESEND) have a flag in their `unique`.
inline constexpr std::uint64_t unique_interrupt = 1ULL << 0;
inline constexpr std::uint64_t unique_resend = 1ULL << 63;

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
inline constexpr std::uint64_t create_supp_group = 1ULL << 34;
inline constexpr std::uint64_t passthrough = 1ULL << 37;
inline constexpr std::uint64_t has_resend = 1ULL << 39;
inline constexpr std::uint64_t allow_idmap = 1ULL << 40;
inline constexpr std::uint64_t over_io_uring = 1ULL << 41;
}  // namespace init

// For uid and gid where the connection may be mapped (FUSE_ALLOW_IDMAP) and the request creates nothing.
inline constexpr std::uint32_t unknown_id = ~0U;

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

}  // namespace lamina::fuse::abi
