// The real files behind regular files.
#include <fcntl.h>

#include "overlay/tree/overlay.h"
#include "overlay/tree/permissions.h"
#include "sys/data.h"
#include "sys/open.h"

namespace lamina::overlay {

using sys::Errno;

Result<RealFileRef> Overlay::file(NodeId node, Access access, const Interrupted& interrupted) {
  if (access == Access::read) {
    if (RealFileRef cached = files_.get(node)) return cached;
  }
  TreeLock::Shared lock(tree_);
  LAMINA_ASSIGN(const InodeRef inode, get(node));
  if (inode->is_directory()) return Errno{EISDIR};
  if (!inode->is_regular()) return Errno{EINVAL};
  if (access != Access::read) {
    LAMINA_TRY(allow_write(*inode, access == Access::append));
    LAMINA_TRY(copy_up(inode, CopyUp::data, interrupted));
    if (RealFileRef cached = files_.get(inode->id)) return cached;
  }
  bool lower = false;
  LowerPlace place;
  {
    std::lock_guard guard(inode->mutex);
    lower = !inode->has_upper || inode->metacopy;
    if (lower) place = inode->lowers.back();
  }
  RealFileRef file;
  if (lower) {
    LAMINA_ASSIGN(file, lowers_.open(place, O_RDONLY));
  } else {
    LAMINA_ASSIGN(const Location at, location(*inode));
    auto opened = upper_files_.open(at, O_RDWR);
    if (access == Access::read && (opened.failed_with(EACCES) || opened.failed_with(EROFS)))
      opened = upper_files_.open(at, O_RDONLY);
    if (!opened) return opened.error();
    file = std::make_shared<const RealFile>(opened->release());
  }
  {
    // A copy-up between the check and now would leave the old file in the cache.
    std::lock_guard guard(inode->mutex);
    if (lower == (!inode->has_upper || inode->metacopy)) files_.put(inode->id, file);
  }
  return file;
}

Status Overlay::sync(NodeId node, bool data_only) {
  sys::FileDescriptor opened;
  {
    TreeLock::Shared lock(tree_);
    LAMINA_ASSIGN(const InodeRef inode, get(node));
    {
      std::lock_guard guard(inode->mutex);
      if (!inode->has_upper) return {};
    }
    LAMINA_ASSIGN(const Location at, location(*inode));
    if (!inode->is_directory() && !inode->is_regular()) return {};
    const int flags = inode->is_directory() ? O_RDONLY | O_DIRECTORY : O_RDONLY;
    LAMINA_ASSIGN(opened, upper_files_.open(at, flags));
  }
  return data_only ? sys::sync_data(opened.get()) : sys::sync(opened.get());
}

Status Overlay::sync_all() { return upper_ ? sys::sync_file_system(work_.parent()) : Status(); }

}  // namespace lamina::overlay
