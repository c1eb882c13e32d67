#include "overlay/tree/files/file_contents.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <memory>
#include <mutex>

#include "overlay/tree/lookup/permissions.h"
#include "sys/data.h"
#include "sys/names.h"
#include "sys/open.h"

namespace lamina::overlay {

using sys::Errno;

Result<RealFileRef> FileContents::file(NodeId node, Access access, const Interrupted& interrupted) {
  if (access == Access::read) {
    if (RealFileRef cached = open_files_.get(node)) return cached;
  }
  TreeLock::Shared lock(tree_);
  LAMINA_ASSIGN(const InodeRef inode, resolver_.get(node));
  if (inode->is_directory()) return Errno{EISDIR};
  if (!inode->is_regular()) return Errno{EINVAL};
  if (access != Access::read) {
    LAMINA_TRY(allow_write(*inode, access == Access::append));
    LAMINA_TRY(copier_.copy_up(inode, CopyUp::data, interrupted));
    if (RealFileRef cached = open_files_.get(inode->id)) return cached;
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
    LAMINA_ASSIGN(const Location at, places_.location(*inode));
    auto opened = upper_files_.open(at, O_RDWR);
    if (access == Access::read && (opened.failed_with(EACCES) || opened.failed_with(EROFS)))
      opened = upper_files_.open(at, O_RDONLY);
    if (!opened) return opened.error();
    file = std::make_shared<const RealFile>(opened->release());
  }
  {
    // A copy-up between the check and now would leave the old file in the cache.
    std::lock_guard guard(inode->mutex);
    if (lower == (!inode->has_upper || inode->metacopy)) open_files_.put(inode->id, file);
  }
  return file;
}

// The descriptor that wrote it, if that is still open, or another one of the file or directory; null where there is
// nothing to sync.
Result<RealFileRef> FileContents::file_to_sync(NodeId node) {
  TreeLock::Shared lock(tree_);
  LAMINA_ASSIGN(const InodeRef inode, resolver_.get(node));
  if (!inode->is_directory() && !inode->is_regular()) return RealFileRef();
  {
    std::lock_guard guard(inode->mutex);
    if (!inode->has_upper) return RealFileRef();
    // That of a metacopy is of the lower. A copy-up that ends just now has not been answered, so need not be synced.
    const RealFileRef known = inode->metacopy ? RealFileRef() : open_files_.get(inode->id);
    if (known) return known;
  }
  LAMINA_ASSIGN(const Location at, places_.location(*inode));
  LAMINA_ASSIGN(sys::FileDescriptor opened,
                upper_files_.open(at, inode->is_directory() ? O_RDONLY | O_DIRECTORY : O_RDONLY));
  return RealFileRef(std::make_shared<const RealFile>(opened.release()));
}

Status FileContents::sync(NodeId node, bool data_only) {
  LAMINA_ASSIGN(const RealFileRef file, file_to_sync(node));
  if (!file) return {};
  return data_only ? sys::sync_data(file->descriptor()) : sys::sync(file->descriptor());
}

Result<std::string> FileContents::read_link(NodeId node) {
  TreeLock::Shared lock(tree_);
  LAMINA_ASSIGN(const InodeRef inode, resolver_.get(node));
  if (inode->type != S_IFLNK) return Errno{EINVAL};
  LowerPlace lower;
  bool has_upper = false;
  {
    std::lock_guard guard(inode->mutex);
    has_upper = inode->has_upper;
    if (!has_upper) lower = inode->lowers.front();
  }
  if (!has_upper) return lowers_.of(lower).read_link(lower.reference);
  LAMINA_ASSIGN(const Location at, places_.location(*inode));
  // There is no O_NOATIME for symlinks.
  if (quiet_upper_.valid() && !at.name.empty()) {
    LAMINA_ASSIGN(const std::string path, UpperPlaces::path_of(*inode));
    LAMINA_ASSIGN(const sys::FileDescriptor link, sys::open_beneath(quiet_upper_.get(), path, O_PATH | O_NOFOLLOW));
    return sys::read_link(link.get(), "");
  }
  return sys::read_link(at.descriptor(), at.name);
}

}  // namespace lamina::overlay
