// All names of a file, and all paths below a name: to check that a protected path is not changed by another name.
#include <algorithm>

#include "overlay/layers/walk.h"
#include "overlay/tree/overlay.h"
#include "sys/names.h"

namespace lamina::overlay {

using sys::Errno;

// The names in the upper of a file that has several there.
Result<std::vector<std::string>> Overlay::linked_names(std::uint64_t upper_ino) {
  const std::lock_guard lock(linked_mutex_);
  if (!linked_) {
    std::unordered_map<std::uint64_t, std::vector<std::string>> names;
    LAMINA_TRY(walk_tree(upper_->descriptor(), [&](const WalkedEntry& each) -> Status {
      if (each.type == 0040000U) return {};
      const auto status = sys::status_at(each.directory, each.name);
      if (is_absent(status)) return {};
      if (!status) return status.error();
      if (status->nlink > 1 && !status->is_whiteout()) names[status->ino].push_back(each.path);
      return {};
    }));
    linked_ = std::move(names);
  }
  const auto found = linked_->find(upper_ino);
  return found == linked_->end() ? std::vector<std::string>() : found->second;
}

// A name of a group was made in the upper.
void Overlay::note_names(std::uint64_t upper_ino, const InodeRef& directory, std::string_view name) {
  const std::lock_guard lock(linked_mutex_);
  if (!linked_) return;
  const auto path = path_of(*directory);
  // Without it they are searched again.
  if (!path) return linked_.reset();
  (*linked_)[upper_ino].push_back(join_paths(*path, name));
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
  LAMINA_ASSIGN(const std::vector<std::string> names, linked_names(status.ino));
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
    if (!found.visible || found.type() != 0040000U) return {};
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
      if (each.type == 0040000U) LAMINA_TRY(wait_for(directory, each.name, std::move(path)));
    }
  }
  return false;
}

}  // namespace lamina::overlay
