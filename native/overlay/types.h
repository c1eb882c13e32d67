// The vocabulary of the overlay: the arguments and results of operations. Knows nothing of FUSE.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "overlay/owners.h"

namespace lamina::overlay {

// The client's handle of an inode: 1 is the root. Valid while its lookup count is above zero.
using NodeId = std::uint64_t;
inline constexpr NodeId root_node = 1;

struct Timestamp {
  std::int64_t seconds = 0;
  std::uint32_t nanoseconds = 0;
  friend bool operator==(const Timestamp&, const Timestamp&) = default;
};

// What of a file changes without our operations, so that it must not be cached. times: also its blocks; a mapping
// writes to the file, which never changes its size.
enum class Unseen : std::uint8_t { nothing, times, anything };

struct Attributes {
  // Unique in the mount; the same before and after copy-up and remount, but where splits_on_copy_up().
  std::uint64_t ino = 0;
  std::uint64_t size = 0;    // bytes
  std::uint64_t blocks = 0;  // of 512 bytes
  Timestamp atime, mtime, ctime, btime;
  std::uint32_t mode = 0;  // type and permission bits, as st_mode
  std::uint32_t nlink = 1;
  std::uint32_t uid = 0, gid = 0;
  std::uint32_t rdev_major = 0, rdev_minor = 0;
  std::uint32_t block_size = 4096;
  Unseen unseen = Unseen::nothing;
};

// The result of lookup and of making a name. The node's lookup count was raised by one.
struct Entry {
  NodeId node = 0;
  Attributes attributes;
};

// Who made the call. New files belong to it.
struct Caller {
  std::uint32_t uid = 0, gid = 0;
  std::int32_t pid = 0;
  std::uint32_t umask = 0;  // applied by us, unless the parent has a default ACL
};

struct SetAttributes {
  struct Now {};
  struct Time {
    bool now = false;
    Timestamp value;
  };
  std::optional<std::uint32_t> mode, uid, gid;
  std::optional<std::uint64_t> size;
  std::optional<Time> atime, mtime;
  bool kill_suidgid = false;  // clear setuid, and setgid where group execute is set (KILLPRIV_V2)
  bool outside_group =
      false;  // with kill_suidgid: the caller is not in the file's group, so setgid is cleared in any case
};

enum class Access { read, write, append };  // append: writes go to the end

// The rename(2) flags that a file system sees.
// leave_device: replaces, and leaves a character device 0:0 under the old name (RENAME_WHITEOUT).
enum class RenameMode { replace, no_replace, exchange, leave_device };

struct FileSystemStatistics {
  std::uint64_t blocks = 0, blocks_free = 0, blocks_available = 0, files = 0, files_free = 0;
  std::uint32_t block_size = 4096, name_length = 255, fragment_size = 4096;
};

// One name of a merged directory. `cookie` is stable: it is the name's hash (63 bits, above 2), not a position,
// so an offset survives creation and removal of other names, eviction of the listing, and a remount.
struct DirectoryEntry {
  std::uint64_t cookie = 0;
  std::uint64_t ino = 0;
  std::uint32_t type = 0;  // the S_IFMT bits
  bool in_upper = false;
  std::string name;
};
// Less by cookie, then by the name's bytes: the same in every layer, so that listings are merged in one pass.
inline bool listing_order(const DirectoryEntry& left, const DirectoryEntry& right) {
  return left.cookie != right.cookie ? left.cookie < right.cookie : left.name < right.name;
}

struct OverlayCounters {
  std::uint64_t copy_ups = 0, copy_up_bytes = 0, inodes = 0, cached_files = 0, cached_directories = 0,
                cached_listings = 0, index_lookups = 0, directory_lookups = 0;
};

struct LowerOptions {
  std::string tree;             // the layer's directory
  std::string index;            // its index file, or empty: the layer is then read from the directory
  bool whiteout_files = false;  // honour whiteouts that are files; never where there is an index
};

struct Options {
  std::vector<LowerOptions> lowers;  // topmost first, as in lowerdir=
  std::string upper, work;           // both empty: a read-only mount
  bool redirect_dir = true;          // off: a directory of a lower is copied up completely before a rename
  bool metacopy = true;              // off: every copy-up includes the data
  bool user_xattr = false;      // marks are user.overlay.* instead of trusted.overlay.*; excludes redirect and metacopy
  bool whiteout_files = false;  // honour whiteouts that are files in the upper, and refuse to make such names
  bool static_nlink = false;    // every directory shows one link
  bool access_times = true;     // off (noatime): reads in the upper do not change access times
  bool directory_access_times = true;
  bool listed_numbers = true;  // off: listings may give the upper's own inode numbers, not those of lookups
  bool synchronous = true;     // off (volatile): nothing is written to disk before its turn
  bool hide_trusted = false;   // the caller's namespace has no CAP_SYS_ADMIN
  OwnerView owners;
  // How the upper keeps owners; in_inode: as its root says, which is so where nothing else was ever asked for.
  StoredOwners stored_owners = StoredOwners::in_inode;
};

}  // namespace lamina::overlay
