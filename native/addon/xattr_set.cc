// All attributes of a file in one call: a scan of a tree needs them for each entry.
#include <algorithm>
#include <cstring>
#include <vector>

#include "addon/syscalls.h"

namespace lamina::addon {

using sys::Result;

namespace {

std::vector<std::string> split_names(const std::string& list) {
  std::vector<std::string> names;
  for (std::size_t at = 0; at < list.size();) {
    const std::size_t end = std::min(list.find('\0', at), list.size());
    names.emplace_back(list, at, end - at);
    at = end + 1;
  }
  std::sort(names.begin(), names.end());
  return names;
}

void append_little_endian(std::string& out, std::size_t value, int bytes) {
  for (int index = 0; index < bytes; ++index) out.push_back(static_cast<char>((value >> (8 * index)) & 0xff));
}

}  // namespace

Result<std::string> read_xattrs(const Target& target) {
  auto list = list_xattrs(target);
  if (list.failed_with(EOPNOTSUPP)) return std::string();
  if (!list.ok()) return list.error();
  std::string packed;
  for (const auto& name : split_names(*list)) {
    auto value = get_xattr(target, name);
    if (value.failed_with(ENODATA)) continue;  // removed since it was listed
    if (!value.ok()) return value.error();
    append_little_endian(packed, name.size(), 2);
    append_little_endian(packed, 0, 2);
    append_little_endian(packed, value->size(), 4);
    packed += name;
    packed += *value;
  }
  return packed;
}

}  // namespace lamina::addon
