#include "overlay/tree/names/name_tests.h"

#include <sys/stat.h>

#include <algorithm>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "sys/status.h"

namespace lamina::overlay {

using sys::Errno;

Result<bool> NameTests::any_name(NodeId node, const PathTest& test) {
  TreeLock::Shared lock(tree_);
  LAMINA_ASSIGN(const InodeRef inode, resolver_.get(node));
  const auto path = UpperPlaces::path_of(*inode);
  if (!path && !path.failed_with(ENOENT)) return path.error();
  if (path && test(*path)) return true;
  if (inode->is_directory()) return false;
  bool has_upper = false;
  LowerPlace lower;
  {
    std::lock_guard guard(inode->mutex);
    has_upper = inode->has_upper;
    if (!has_upper) lower = inode->lowers.front();
  }
  if (!has_upper) {
    LAMINA_ASSIGN(const std::vector<LinkName> names, groups_.names_of(lower));
    for (const LinkName& each : names) {
      LAMINA_ASSIGN(const std::string directory, UpperPlaces::path_of(*each.directory));
      if (test(join_paths(directory, each.name))) return true;
    }
    return false;
  }
  LAMINA_ASSIGN(const Location at, places_.location(*inode));
  LAMINA_ASSIGN(const sys::FileStatus status, sys::status_at(at.descriptor(), at.name));
  if (status.nlink < 2) return false;
  LAMINA_ASSIGN(const std::vector<std::string> names, linked_names_.of(places_.upper()->descriptor(), status.ino));
  return std::any_of(names.begin(), names.end(), test);
}

Result<bool> NameTests::any_below(NodeId parent, std::string_view name, const PathTest& test) {
  TreeLock::Shared lock(tree_);
  LAMINA_ASSIGN(const InodeRef holder, resolver_.get(parent));
  if (!holder->is_directory()) return Errno{ENOTDIR};
  // Each with its path relative to the name; the inodes hold no lookup count, and stay as long as they are here.
  std::vector<std::pair<InodeRef, std::string>> waiting;
  const auto wait_for = [&](const InodeRef& directory, std::string_view its_name, std::string path) -> Status {
    LAMINA_ASSIGN(const Found found, names_.find(*directory, its_name));
    if (!found.visible() || found.type() != S_IFDIR) return {};
    LAMINA_ASSIGN(InodeRef inode, resolver_.intern(directory, its_name, found));
    table_.forget(inode->id, 1);
    waiting.emplace_back(std::move(inode), std::move(path));
    return {};
  };
  LAMINA_TRY(wait_for(holder, name, {}));
  while (!waiting.empty()) {
    const auto [directory, above] = std::move(waiting.back());
    waiting.pop_back();
    LAMINA_ASSIGN(const ListingRef names, listings_.of(*directory));
    for (const DirectoryEntry& each : *names) {
      std::string path = join_paths(above, each.name);
      if (test(path)) return true;
      if (each.type == S_IFDIR) LAMINA_TRY(wait_for(directory, each.name, std::move(path)));
    }
  }
  return false;
}

}  // namespace lamina::overlay
