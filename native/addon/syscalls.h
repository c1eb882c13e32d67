// The system calls that Node.js lacks. No call follows a symlink in the last component of a path. Each retries EINTR.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "sys/result.h"

namespace lamina::addon {

// What an operation acts on: a path, or a descriptor that the caller keeps open.
using Target = std::variant<std::string, int>;

// xattr(7)
sys::Result<std::string> get_xattr(const Target& target, const std::string& name);
sys::Result<std::string> list_xattrs(const Target& target);  // names, each ended by NUL
// All attributes of the target: per attribute u16 name length, u16 zero, u32 value length (little-endian), name, value;
// sorted by the names' bytes. Empty where the file system has no xattrs.
sys::Result<std::string> read_xattrs(const Target& target);
sys::Status set_xattr(const Target& target, const std::string& name, std::string_view value, int flags);
sys::Status remove_xattr(const Target& target, const std::string& name);

// mknod(2). Mode includes the type bits; the umask applies.
sys::Status make_node(const std::string& path, mode_t mode, std::uint32_t major, std::uint32_t minor);
// renameat2(2): RENAME_NOREPLACE, RENAME_EXCHANGE.
sys::Status rename_with_flags(const std::string& from, const std::string& to, unsigned flags);
// Unlinks everything but directories in a directory. Returns the names of the directories in it, each ended by NUL.
sys::Result<std::string> unlink_files(const std::string& directory);
// Removes all that is below a directory, however deep. Directories that their owner may not write are made writable
// first.
sys::Status remove_below(const std::string& directory);
// A time as in file systems: whole seconds since 1970, negative before it, and 0 to 999,999,999 ns after that second.
// Nanoseconds alone would end in 2262, and ext4 goes to 2446.
struct FileTime {
  std::int64_t seconds = 0;
  std::uint32_t nanoseconds = 0;
};
// utimensat(2). A time that is left out is not changed.
struct Times {
  std::optional<FileTime> access, modification;
};
sys::Status set_times(const Target& target, const Times& times);

// ioctl_ficlone(2): the whole of `from` shares its blocks with `to`.
sys::Status clone_file(int from, int to);
// Makes `to` equal to `from`, holes included: cloned where the file system can, else copied by data segment (lseek(2)
// SEEK_DATA). Gives the bytes copied, 0 for a clone. Both offsets are left undefined.
sys::Result<std::int64_t> copy_file_data(int from, int to);
// The requested hashes of a content. BLAKE3 distinguishes contents, even hostile ones; xxh64, seed 0, is used in older
// indexes.
struct HashKinds {
  bool blake3 = true, xxh64 = false;
};
struct FileHash {
  std::uint64_t error = 0;  // an errno; 0: the file was read
  std::uint64_t xxh64 = 0;
  std::uint8_t blake3[32] = {};
};
// Of files: paths, each ended by NUL. Returns a FileHash for each, as in memory; a hash that was not requested is zero.
// Does not change access times where O_NOATIME is permitted.
std::string hash_files(std::string_view paths, HashKinds kinds);
// The BLAKE3 of bytes in memory, one piece after the other.
std::string hash_bytes(std::span<const std::string_view> pieces);
// Begins to read files, up to `most` bytes of each: paths, each ended by NUL. Returns of how many; the others are not
// reported, for whoever reads them learns why that fails.
std::int64_t read_ahead(std::string_view paths, std::int64_t most);
// lstat(2) of files: paths, each ended by NUL. Brings their inodes into memory; gives the blocks of each as a u64, and
// the greatest u64 for one that cannot be reached.
std::string read_inodes(std::string_view paths);
// statx(2) of entries: `prefix` with each of the names, each ended by NUL; with details also a symlink's target and all
// attributes. Gives a record for each (read_entries.cc), with an errno where one could not be read.
std::string read_entries(const std::string& prefix, std::string_view names, bool with_details);
// Makes files that must not be there, with content, owner, mode, attributes and times. `requests` says which
// (write_files.cc), `contents` has what is in them, one after the other. Gives a FileHash for each, with BLAKE3; the
// first that fails is the last: its error, and in xxh64 what failed.
sys::Result<std::string> write_files(std::string_view requests, std::string_view contents);
// flock(2): LOCK_SH, LOCK_EX, LOCK_UN, with LOCK_NB.
sys::Status lock_file(int descriptor, int operation);
// syncfs(2)
sys::Status sync_file_system(int descriptor);
// close_range(2) with CLOSE_RANGE_CLOEXEC: no program that is run later gets a descriptor from this one on.
sys::Status close_on_exec(int first);

// execve(2): replaces this process with another program, with its environment. Words are its arguments from its own
// name on, each ended by NUL. Returns only where it failed.
sys::Status execute(const std::string& program, std::string_view words);

// tcgetpgrp(3): 1 where the terminal's foreground group is ours, else 0.
sys::Result<std::int64_t> is_foreground(int terminal);

// SO_PEERCRED of socket(7): the user that connected a unix socket, as this process's user namespace numbers it.
sys::Result<std::int64_t> peer_user(int socket);

// mount(2). Empty source, type and data are passed to the kernel as null.
struct MountRequest {
  std::string source, target, type, data;
  unsigned long flags = 0;
};
sys::Status mount_file_system(const MountRequest& request);
// umount2(2)
sys::Status unmount(const std::string& target, int flags);

}  // namespace lamina::addon
