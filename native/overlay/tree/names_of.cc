// All names of a file, and all paths below a name: to check that a protected path is not changed by another name.
#include <sys/stat.h>

#include <algorithm>
#include <unordered_set>

#include "overlay/tree/overlay.h"
#include "sys/names.h"

namespace lamina::overlay {

using sys::Errno;

// The visible names of a lower's hard-link group; none where it has no index or the file one name.
Result<std::vector<LinkName>> Overlay::group_names(const LowerPlace& source) {
  std::vector<LinkName> names;
  LAMINA_ASSIGN(const std::vector<std::string> paths, lowers_.of(source).link_group(source.reference));
  if (paths.size() < 2) return names;
  LAMINA_ASSIGN(const std::uint64_t identity, lowers_.of(source).identity(source.reference));
  const auto take = [&](std::string_view path) -> Result<bool> {
    LAMINA_ASSIGN(LinkName link, link_name(path));
    if (!link.directory) return false;
    LAMINA_ASSIGN(const bool shown, shows(*link.directory, link.name, source.layer, identity));
    if (shown) names.push_back(std::move(link));
    return shown;
  };
  std::vector<std::string> elsewhere;
  for (const std::string& path : paths) {
    LAMINA_ASSIGN(const bool shown, take(path));
    if (!shown) elsewhere.push_back(path);
  }
  if (elsewhere.empty()) return names;
  std::unordered_set<std::string> seen(paths.begin(), paths.end());
  for (const std::string& path : elsewhere) {
    LAMINA_ASSIGN(const std::vector<std::string> places, group_places_.of_path(source.layer, path));
    for (const std::string& place : places) {
      if (seen.insert(place).second) LAMINA_TRY(take(place));
    }
  }
  return names;
}

Result<bool> Overlay::any_name(NodeId node, const PathTest& test) {
  TreeLock::Shared lock(tree_);
  LAMINA_ASSIGN(const InodeRef inode, get(node));
  const auto path = path_of(*inode);
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
    LAMINA_ASSIGN(const std::vector<LinkName> names, group_names(lower));
    for (const LinkName& each : names) {
      LAMINA_ASSIGN(const std::string directory, path_of(*each.directory));
      if (test(join_paths(directory, each.name))) return true;
    }
    return false;
  }
  LAMINA_ASSIGN(const Location at, location(*inode));
  LAMINA_ASSIGN(const sys::FileStatus status, sys::status_at(at.descriptor(), at.name));
  if (status.nlink < 2) return false;
  LAMINA_ASSIGN(const std::vector<std::string> names, linked_names_.of(upper_->descriptor(), status.ino));
  return std::any_of(names.begin(), names.end(), test);
}

Result<bool> Overlay::any_below(NodeId parent, std::string_view name, const PathTest& test) {
  TreeLock::Shared lock(tree_);
  LAMINA_ASSIGN(const InodeRef holder, get(parent));
  if (!holder->is_directory()) return Errno{ENOTDIR};
  // Each with its path relative to the name; the inodes hold no lookup count, and stay as long as they are here.
  std::vector<std::pair<InodeRef, std::string>> waiting;
  const auto wait_for = [&](const InodeRef& directory, std::string_view its_name, std::string path) -> Status {
    LAMINA_ASSIGN(const Found found, find(*directory, its_name));
    if (!found.visible() || found.type() != S_IFDIR) return {};
    LAMINA_ASSIGN(InodeRef inode, intern(directory, its_name, found));
    table_.forget(inode->id, 1);
    waiting.emplace_back(std::move(inode), std::move(path));
    return {};
  };
  LAMINA_TRY(wait_for(holder, name, {}));
  while (!waiting.empty()) {
    const auto [directory, above] = std::move(waiting.back());
    waiting.pop_back();
    LAMINA_ASSIGN(const ListingRef names, list_inode(*directory));
    for (const DirectoryEntry& each : *names) {
      std::string path = join_paths(above, each.name);
      if (test(path)) return true;
      if (each.type == S_IFDIR) LAMINA_TRY(wait_for(directory, each.name, std::move(path)));
    }
  }
  return false;
}

}  // namespace lamina::overlay
