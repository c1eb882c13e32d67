// Making, renaming and removing names, and changing attributes. A `name` is one component of a path (Name); no call
// follows a symlink. Calls interrupted by a signal are retried.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sys/result.h"
#include "sys/status.h"

namespace lamina::sys {

// The process's umask applies to the mode of these two: a driver sets it to 0.
Status make_node(int directory, std::string_view name, mode_t mode, std::uint32_t major,
                 std::uint32_t minor);  // mknodat(2)
Status make_directory(int directory, std::string_view name, mode_t mode);
Status make_symlink(int directory, std::string_view name, std::string_view target);

Status link(int directory, std::string_view name, int new_directory, std::string_view new_name);  // linkat(2)
// Gives the file that `descriptor` refers to (O_PATH and O_TMPFILE too) a name.
Status link_descriptor(int descriptor, int new_directory, std::string_view new_name);
Status unlink(int directory, std::string_view name);
Status remove_directory(int directory, std::string_view name);
// renameat2(2); flags: RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_WHITEOUT.
Status rename(int directory, std::string_view name, int new_directory, std::string_view new_name, unsigned flags = 0);
// The target of a symlink, whatever its length. With `name` "" of the O_PATH descriptor itself.
Result<std::string> read_link(int directory, std::string_view name);

// Attributes of the child `name`, or of the descriptor itself (O_PATH too) where `name` is "".
constexpr std::uint32_t keep_id = 0xFFFFFFFFU;  // leaves the uid or gid as it is
Status change_owner(int directory, std::string_view name, std::uint32_t uid, std::uint32_t gid);
// EOPNOTSUPP for a symlink. `mode`: the permission bits only.
Status change_mode(int directory, std::string_view name, mode_t mode);

// How utimensat(2) sets one time: to a value, to now, or not at all.
struct TimeChange {
  enum class Kind { omit, now, value };
  Kind kind = Kind::omit;
  FileTime value;

  static TimeChange to_now() { return {Kind::now, {}}; }
  static TimeChange to(FileTime time) { return {Kind::value, time}; }
};
Status change_times(int directory, std::string_view name, const TimeChange& atime, const TimeChange& mtime);

// umask(2) to 0 for this process, so that modes are used as given.
void clear_umask();

}  // namespace lamina::sys
