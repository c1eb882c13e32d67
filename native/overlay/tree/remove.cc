// Removal of names. A name that a lower shows leaves a whiteout.
#include <fcntl.h>
#include <sys/stat.h>

#include "overlay/tree/overlay.h"
#include "overlay/tree/permissions.h"
#include "sys/directory.h"
#include "sys/names.h"
#include "sys/open.h"

namespace lamina::overlay {

using sys::Errno;

// The inode that is about to lose a name, with a descriptor of its real file, so that open files keep it. Null where
// the inode is not known.
Result<InodeRef> Overlay::pin(const InodeRef& parent, std::string_view name, const Found& found) {
  LAMINA_ASSIGN(const InodeKey key, key_of(found));
  InodeRef victim = table_.find(key);
  const bool others = found.type() != S_IFDIR && found.links() > 1;
  if (!others) table_.forget_permanently(key);
  if (!victim) return victim;
  LAMINA_TRY(resolve(victim));
  {
    std::lock_guard lock(victim->mutex);
    victim->other_names = others;
    if (!victim->has_upper || victim->pinned() || victim->parent != parent || victim->name() != name) return victim;
    const RealFileRef open = victim->metacopy ? nullptr : files_.get(victim->id);
    if (open) {
      victim->pin(open);
      return victim;
    }
  }
  LAMINA_ASSIGN(const RealFileRef place, upper_directory(*parent));
  LAMINA_ASSIGN(sys::FileDescriptor opened, sys::open_child(place->descriptor(), name, O_PATH | O_NOFOLLOW));
  std::lock_guard lock(victim->mutex);
  victim->pin(std::make_shared<const RealFile>(opened.release()));
  return victim;
}

// The name is removed. An inode that was known by another name keeps that.
void Overlay::unlinked(const InodeRef& victim, const InodeRef& parent, std::string_view name) {
  names_version_.fetch_add(1);
  if (!victim) return;
  std::lock_guard lock(victim->mutex);
  if (victim->is_directory()) {
    ++victim->directory().version;
    victim->directory().listing = empty_listing();
  }
  if (victim->parent != parent || victim->name() != name) return;
  victim->unlink();
  if (victim->has_upper || victim->lowers.empty()) return;
  const LowerPlace& place = victim->lowers.front();
  // What has an index is found again by its number.
  const auto path =
      lowers_.of(place).indexed() ? Result<std::string>(Errno{ENODATA}) : lowers_.of(place).path(place.reference);
  if (path) table_.keep_lower_path(*victim, *path);
}

// The evidence is the victim's key, by which it is found once the name is gone.
Status Overlay::remove_name(const InodeRef& holder, std::string_view name, const Found& found, Attempt* attempt) {
  LAMINA_ASSIGN(const InodeRef victim, pin(holder, name, found));
  LAMINA_ASSIGN(const RealFileRef place, upper_directory(*holder));
  LAMINA_ASSIGN(const bool below, visible_below(*holder, name));
  const auto take = [&]() -> Status {
    if (found.in_upper() == nullptr) return upper_files_.make_whiteout({place->descriptor(), name});
    if (found.type() == S_IFDIR || below) return work_.remove({place->descriptor(), name}, below);
    return upper_files_.unlink({place->descriptor(), name});
  };
  if (attempt != nullptr) {
    LAMINA_ASSIGN(const InodeKey key, key_of(found));
    attempt->begin({key.layer, key.identity});
  }
  LAMINA_TRY(take());
  unlinked(victim, holder, name);
  return {};
}

Status Overlay::remove(NodeId parent, std::string_view name, bool directory, Attempt* attempt) {
  TreeLock::Shared lock(tree_);
  LAMINA_ASSIGN(const InodeRef holder, writable_directory(parent, name));
  LAMINA_ASSIGN(const Found found, find(*holder, name));
  if (!found.visible()) {
    if (attempt == nullptr || !attempt->begun()) return Errno{ENOENT};
    const auto& [layer, identity, unused, unused_too] = attempt->evidence();
    unlinked(table_.find({layer, identity}), holder, name);
    touched(*holder);
    return {};
  }
  LAMINA_TRY(allow_removal(*holder, found));
  const bool is_directory = found.type() == S_IFDIR;
  if (directory && !is_directory) return Errno{ENOTDIR};
  if (!directory && is_directory) return Errno{EISDIR};
  if (is_directory) {
    LAMINA_ASSIGN(const InodeRef inode, intern(holder, name, found));
    const auto names = list_inode(*inode);
    table_.forget(inode->id, 1);
    if (!names) return names.error();
    if (!(*names)->empty()) return Errno{ENOTEMPTY};
  }
  LAMINA_TRY(remove_name(holder, name, found, attempt));
  touched(*holder);
  return {};
}

Status Overlay::unlink(NodeId parent, std::string_view name, Attempt* attempt) {
  return remove(parent, name, false, attempt);
}
Status Overlay::remove_directory(NodeId parent, std::string_view name, Attempt* attempt) {
  return remove(parent, name, true, attempt);
}

}  // namespace lamina::overlay
