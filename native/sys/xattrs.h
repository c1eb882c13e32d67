// Extended attributes (xattr(7)) of the child `name` of `directory`, or of the descriptor itself (O_PATH too) where
// `name` is "". Never follows a symlink and never resolves a path from "/" but the descriptor's own /proc/self/fd link:
// a path string could lead back into a mount of ours.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sys/result.h"

namespace lamina::sys {

// ENODATA where there is none of that name; EOPNOTSUPP where the file system has none.
Result<std::vector<std::byte>> get_xattr(int directory, std::string_view name, std::string_view attribute);
// The names, each ended by NUL. "" where the file system has no xattrs.
Result<std::string> list_xattrs(int directory, std::string_view name);
// `flags`: XATTR_CREATE, XATTR_REPLACE.
Status set_xattr(int directory, std::string_view name, std::string_view attribute, std::span<const std::byte> value,
                 int flags = 0);
Status remove_xattr(int directory, std::string_view name, std::string_view attribute);
// Whether this process may set trusted.*: that takes CAP_SYS_ADMIN outside of every user namespace (xattr(7)). Tried on
// a file in memory, so that no file system decides.
[[nodiscard]] bool may_set_trusted_xattrs();

// Which attributes to copy, by name.
using XattrFilter = std::function<bool(std::string_view attribute)>;
// Copies the wanted attributes from one descriptor (O_PATH too) to another. The first that cannot be set ends the copy
// with its error.
Status copy_xattrs(int from, int to, const XattrFilter& wanted);

// Calls `each` for every name of a list as returned by list_xattrs.
template <typename Each>
void for_each_name(std::string_view list, Each each) {
  while (!list.empty()) {
    const std::size_t end = list.find('\0');
    each(list.substr(0, end));
    list.remove_prefix(end == std::string_view::npos ? list.size() : end + 1);
  }
}

// A string's bytes, as the value of an attribute.
inline std::span<const std::byte> as_value(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

}  // namespace lamina::sys
