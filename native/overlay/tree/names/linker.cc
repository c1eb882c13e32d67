#include "overlay/tree/names/linker.h"

#include <mutex>
#include <string>

#include "overlay/tree/lookup/listings.h"
#include "overlay/tree/lookup/permissions.h"
#include "sys/status.h"

namespace lamina::overlay {

using sys::Errno;

// A link needs no data (ovl_link() of fs/overlayfs/dir.c), but a file without a name has nothing that a redirect could
// lead from.
Status Linker::copy_up_for_link(const InodeRef& inode, const Interrupted& interrupted) {
  const auto is_nameless = [&] {
    const std::lock_guard lock(inode->mutex);
    return inode->nameless;
  };
  LAMINA_TRY(copier_.copy_up(inode, is_nameless() ? CopyUp::data : CopyUp::attributes, interrupted));
  InodeRef directory;
  std::string name;
  {
    const std::lock_guard lock(inode->mutex);
    if (!inode->metacopy) return {};
    directory = inode->parent;
    name = inode->name();
  }
  return redirects_.mark_metacopy(inode, directory, name, interrupted);
}

Result<Entry> Linker::make(NodeId node, NodeId parent, std::string_view name, const Interrupted& interrupted,
                           Attempt* attempt) {
  InodeRef inode;
  {
    TreeLock::Shared lock(tree_);
    LAMINA_ASSIGN(inode, resolver_.get(node));
    LAMINA_TRY(allow_change(*inode));
    LAMINA_ASSIGN(const InodeRef directory, directories_.get(parent, name));
    LAMINA_TRY(copy_up_for_link(inode, interrupted));
    LAMINA_ASSIGN(const Found before, names_.find(*directory, name));
    LAMINA_ASSIGN(const RealFileRef place, places_.directory(*directory));
    LAMINA_ASSIGN(const Location from, places_.location(*inode));
    bool linked_before = false;
    if (before.visible() && attempt != nullptr && attempt->begun()) {
      LAMINA_ASSIGN(const sys::FileStatus file, sys::status_at(from.descriptor(), from.name));
      linked_before = before.in_upper() != nullptr && before.in_upper()->status.ino == file.ino;
    }
    if (before.visible() && !linked_before) return Errno{EEXIST};
    if (attempt != nullptr) attempt->begin();
    if (!linked_before) LAMINA_TRY(maker_.link(from, place->descriptor(), name, before.upper_status() != nullptr));
    name_changed(*directory, name);
    std::lock_guard guard(inode->mutex);
    table_.move(*inode, directory, name);
    table_.raise(inode);
  }
  return attributes_.entry(inode);
}

}  // namespace lamina::overlay
