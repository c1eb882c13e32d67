#include "test/overlay/index_writer.h"

#include <dirent.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <vector>

#include "overlay/layers/xxh64.h"

namespace lamina::test {

namespace {

constexpr std::uint32_t none = 0xFFFFFFFF;

struct ScannedItem {
  std::string path, name, target, attributes;
  struct stat status = {};
  std::uint64_t hash = 0, content = 0;
  std::uint32_t parent = 0, first_child = 0, children = 0, group = none;
  std::uint16_t flags = 0;
};

template <typename T>
void put(std::string& out, std::size_t at, T value) {
  std::memcpy(out.data() + at, &value, sizeof(value));
}

std::string read_attribute(const std::string& path, const std::string& name) {
  std::string value(65536, '\0');
  const ssize_t length = ::lgetxattr(path.c_str(), name.c_str(), value.data(), value.size());
  value.resize(length < 0 ? 0 : static_cast<std::size_t>(length));
  return value;
}

std::vector<std::string> attribute_names(const std::string& path) {
  std::string list(65536, '\0');
  const ssize_t length = ::llistxattr(path.c_str(), list.data(), list.size());
  std::vector<std::string> names;
  for (ssize_t at = 0; at < length;) {
    names.emplace_back(list.c_str() + at);
    at += static_cast<ssize_t>(names.back().size()) + 1;
  }
  std::sort(names.begin(), names.end());
  return names;
}

void read_attributes(ScannedItem& item, const std::string& prefix, bool parent_has_xattr_whiteouts) {
  for (const std::string& name : attribute_names(item.path)) {
    const std::string value = read_attribute(item.path, name);
    std::string head(8, '\0');
    put(head, 0, static_cast<std::uint16_t>(name.size()));
    put(head, 4, static_cast<std::uint32_t>(value.size()));
    item.attributes += head + name + value;
    item.flags |= 16;
    if (name == prefix + "opaque" && value == "y") item.flags |= 2;
    if (name == prefix + "metacopy") item.flags |= 4;
    if (name == prefix + "redirect") item.flags |= 8;
    const bool regular_whiteout =
        S_ISREG(item.status.st_mode) && item.status.st_size == 0 && name == prefix + "whiteout";
    if (regular_whiteout && parent_has_xattr_whiteouts) item.flags |= 1;
    if (name.rfind("trusted.overlay.", 0) != 0 && name.rfind("user.overlay.", 0) != 0) item.flags |= 32;
  }
  if (S_ISCHR(item.status.st_mode) && item.status.st_rdev == 0) item.flags |= 1;
}

ScannedItem read_item(const std::string& path, const std::string& name, std::uint32_t parent) {
  ScannedItem item;
  item.path = path;
  item.name = name;
  item.hash = overlay::xxh64(name);
  item.parent = parent;
  ::lstat(path.c_str(), &item.status);
  if (S_ISLNK(item.status.st_mode)) {
    item.target = std::filesystem::read_symlink(path).string();
    item.content = overlay::xxh64(item.target);
  }
  if (S_ISREG(item.status.st_mode)) {
    std::ifstream in(path, std::ios::binary);
    const std::string content{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    item.content = overlay::xxh64(content);
  }
  return item;
}

std::vector<ScannedItem> scan(const std::string& root, const std::string& prefix) {
  std::vector<ScannedItem> items{read_item(root, "", 0)};
  read_attributes(items[0], prefix, false);
  for (std::uint32_t number = 0; number < items.size(); ++number) {
    if (!S_ISDIR(items[number].status.st_mode)) continue;
    const bool xattr_whiteouts = read_attribute(items[number].path, prefix + "opaque") == "x";
    std::vector<ScannedItem> children;
    for (const auto& child : std::filesystem::directory_iterator(items[number].path)) {
      children.push_back(read_item(child.path().string(), child.path().filename().string(), number));
      read_attributes(children.back(), prefix, xattr_whiteouts);
    }
    std::sort(children.begin(), children.end(), [](const ScannedItem& a, const ScannedItem& b) {
      return a.hash != b.hash ? a.hash < b.hash : a.name < b.name;
    });
    items[number].first_child = children.empty() ? 0 : static_cast<std::uint32_t>(items.size());
    items[number].children = static_cast<std::uint32_t>(children.size());
    items.insert(items.end(), children.begin(), children.end());
  }
  return items;
}

std::vector<std::vector<std::uint32_t>> find_groups(std::vector<ScannedItem>& items) {
  std::map<std::pair<dev_t, ino_t>, std::vector<std::uint32_t>> files;
  for (std::uint32_t number = 0; number < items.size(); ++number) {
    const auto& status = items[number].status;
    if (!S_ISDIR(status.st_mode)) files[{status.st_dev, status.st_ino}].push_back(number);
  }
  std::vector<std::vector<std::uint32_t>> groups;
  for (const auto& [file, members] : files) {
    if (members.size() < 2) continue;
    for (const std::uint32_t member : members) items[member].group = static_cast<std::uint32_t>(groups.size());
    groups.push_back(members);
  }
  return groups;
}

std::string entry_bytes(const ScannedItem& item, std::uint32_t name, std::uint32_t target, std::uint32_t attributes,
                        std::uint64_t content) {
  std::string out(136, '\0');
  const struct stat& status = item.status;
  const bool link = S_ISLNK(status.st_mode);
  put(out, 0, item.parent);
  put(out, 4, name);
  put(out, 8, static_cast<std::uint16_t>(item.name.size()));
  put(out, 10, item.flags);
  put(out, 12, static_cast<std::uint32_t>(status.st_mode));
  put(out, 16, item.hash);
  put(out, 24, static_cast<std::uint64_t>(status.st_size));
  put(out, 32, content);
  put(out, 40, static_cast<std::int64_t>(status.st_mtim.tv_sec));
  put(out, 48, static_cast<std::int64_t>(status.st_ctim.tv_sec));
  put(out, 56, static_cast<std::int64_t>(status.st_atim.tv_sec));
  put(out, 72, static_cast<std::uint32_t>(status.st_mtim.tv_nsec));
  put(out, 76, static_cast<std::uint32_t>(status.st_ctim.tv_nsec));
  put(out, 80, static_cast<std::uint32_t>(status.st_atim.tv_nsec));
  put(out, 88, static_cast<std::uint32_t>(status.st_uid));
  put(out, 92, static_cast<std::uint32_t>(status.st_gid));
  put(out, 96, static_cast<std::uint32_t>(gnu_dev_major(status.st_rdev)));
  put(out, 100, static_cast<std::uint32_t>(gnu_dev_minor(status.st_rdev)));
  put(out, 104, static_cast<std::uint64_t>(status.st_blocks));
  put(out, 112, static_cast<std::uint32_t>(status.st_nlink));
  put(out, 116, item.group);
  put(out, 120, link ? target : item.first_child);
  put(out, 124, link ? static_cast<std::uint32_t>(item.target.size()) : item.children);
  put(out, 128, attributes);
  put(out, 132, static_cast<std::uint32_t>(item.attributes.size()));
  return out;
}

// Appends a section at the next multiple of 8 and gives its offset.
std::uint64_t append_section(std::string& out, const std::string& section) {
  out.resize((out.size() + 7) / 8 * 8, '\0');
  const std::uint64_t offset = out.size();
  out += section;
  return offset;
}

}  // namespace

std::string make_index(const std::string& root, const std::string& prefix, std::uint32_t version) {
  std::vector<ScannedItem> items = scan(root, prefix);
  const auto groups = find_groups(items);
  std::string entries;
  std::string strings;
  std::string attributes;
  std::string hashes;
  for (const ScannedItem& item : items) {
    const bool metacopy = (item.flags & 4) != 0;
    std::uint64_t content = metacopy ? 0 : item.content;
    if (version > 1) {
      const bool hashed = S_ISREG(item.status.st_mode) && !metacopy;
      content = hashed ? hashes.size() / 32 : none;
      if (hashed) hashes.append(32, 'h');
    }
    const auto name = static_cast<std::uint32_t>(strings.size());
    strings += item.name;
    const auto target = static_cast<std::uint32_t>(strings.size());
    strings += item.target;
    const auto at = item.attributes.empty() ? none : static_cast<std::uint32_t>(attributes.size());
    attributes += item.attributes;
    entries += entry_bytes(item, name, target, at, content);
  }
  std::string group_bytes;
  std::string members;
  for (const auto& group : groups) {
    std::string record(8, '\0');
    put(record, 0, static_cast<std::uint32_t>(members.size() / 4));
    put(record, 4, static_cast<std::uint32_t>(group.size()));
    group_bytes += record;
    for (const std::uint32_t member : group) {
      members.resize(members.size() + 4);
      put(members, members.size() - 4, member);
    }
  }
  std::string out(128, '\0');
  std::memcpy(out.data(), "LAMINAIX", 8);
  put(out, 8, version);
  put(out, 12, std::uint32_t{128});
  put(out, 32, static_cast<std::uint32_t>(items.size()));
  put(out, 36, static_cast<std::uint32_t>(groups.size()));
  put(out, 40, append_section(out, entries));
  put(out, 48, append_section(out, group_bytes));
  put(out, 56, append_section(out, members));
  put(out, 64, append_section(out, strings));
  put(out, 72, static_cast<std::uint64_t>(strings.size()));
  put(out, 80, append_section(out, attributes));
  put(out, 88, static_cast<std::uint64_t>(attributes.size()));
  put(out, 96, static_cast<std::uint32_t>(members.size() / 4));
  if (version > 1) {
    put(out, 100, static_cast<std::uint32_t>(hashes.size() / 32));
    put(out, 104, append_section(out, hashes));
    put(out, 112, append_section(out, std::string(8, '\0')));
  }
  put(out, 16, static_cast<std::uint64_t>(out.size()));
  reseal_index(out);
  return out;
}

void reseal_index(std::string& bytes) { put(bytes, 24, overlay::xxh64(std::string_view(bytes).substr(128))); }

}  // namespace lamina::test
