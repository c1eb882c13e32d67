#include "overlay/tree/names/remover.h"

#include <sys/stat.h>

#include "overlay/tree/lookup/permissions.h"

namespace lamina::overlay {

using sys::Errno;

// The evidence is the victim's key, by which it is found once the name is gone.
Status Remover::remove_name(const InodeRef& holder, std::string_view name, const Found& found, Attempt* attempt) {
  LAMINA_ASSIGN(const InodeRef victim, removed_.pin(holder, name, found));
  LAMINA_ASSIGN(const RealFileRef place, places_.directory(*holder));
  LAMINA_ASSIGN(const bool below, names_.visible_below(*holder, name, found));
  const auto take = [&]() -> Status {
    if (found.in_upper() == nullptr) return upper_files_.make_whiteout({place->descriptor(), name});
    if (found.type() == S_IFDIR || below) return work_.remove({place->descriptor(), name}, below);
    return upper_files_.unlink({place->descriptor(), name});
  };
  if (attempt != nullptr) {
    LAMINA_ASSIGN(const InodeKey key, keys_.of(found));
    attempt->begin({key.layer, key.identity});
  }
  LAMINA_TRY(take());
  removed_.unlinked(victim, holder, name);
  return {};
}

Status Remover::remove(NodeId parent, std::string_view name, bool is_rmdir, Attempt* attempt) {
  TreeLock::Shared lock(tree_);
  LAMINA_ASSIGN(const InodeRef holder, directories_.get(parent, name));
  LAMINA_ASSIGN(const Found found, names_.find(*holder, name));
  if (!found.visible()) {
    if (attempt == nullptr || !attempt->begun()) return Errno{ENOENT};
    const auto& [layer, identity, unused, unused_too] = attempt->evidence();
    removed_.unlinked(table_.find({layer, identity}), holder, name);
    name_changed(*holder, name);
    return {};
  }
  LAMINA_TRY(allow_removal(*holder, found));
  const bool is_directory = found.type() == S_IFDIR;
  if (is_rmdir && !is_directory) return Errno{ENOTDIR};
  if (!is_rmdir && is_directory) return Errno{EISDIR};
  if (is_directory) {
    LAMINA_ASSIGN(const InodeRef inode, resolver_.intern(holder, name, found));
    const auto names = listings_.of(*inode);
    table_.forget(inode->id, 1);
    if (!names) return names.error();
    if (!(*names)->empty()) return Errno{ENOTEMPTY};
  }
  LAMINA_TRY(remove_name(holder, name, found, attempt));
  name_changed(*holder, name);
  return {};
}

Status Remover::file(NodeId parent, std::string_view name, Attempt* attempt) {
  return remove(parent, name, false, attempt);
}
Status Remover::directory(NodeId parent, std::string_view name, Attempt* attempt) {
  return remove(parent, name, true, attempt);
}

}  // namespace lamina::overlay
