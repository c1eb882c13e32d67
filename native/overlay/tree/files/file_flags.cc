#include "overlay/tree/files/file_flags.h"

#include <fcntl.h>

#include <mutex>

#include "overlay/tree/lookup/permissions.h"
#include "sys/file_flags.h"

namespace lamina::overlay {

using sys::Errno;

namespace {

Protection protection_in(std::uint32_t flags) { return {(flags & FS_IMMUTABLE_FL) != 0, (flags & FS_APPEND_FL) != 0}; }
Protection protection_in(const fsxattr& flags) {
  return {(flags.fsx_xflags & FS_XFLAG_IMMUTABLE) != 0, (flags.fsx_xflags & FS_XFLAG_APPEND) != 0};
}

std::uint32_t with(std::uint32_t flags, const Protection& shown) {
  flags &= ~static_cast<std::uint32_t>(FS_IMMUTABLE_FL | FS_APPEND_FL);
  return flags | (shown.immutable ? FS_IMMUTABLE_FL : 0U) | (shown.append_only ? FS_APPEND_FL : 0U);
}
fsxattr with(fsxattr flags, const Protection& shown) {
  flags.fsx_xflags &= ~static_cast<std::uint32_t>(FS_XFLAG_IMMUTABLE | FS_XFLAG_APPEND);
  flags.fsx_xflags |= (shown.immutable ? FS_XFLAG_IMMUTABLE : 0U) | (shown.append_only ? FS_XFLAG_APPEND : 0U);
  return flags;
}

}  // namespace

// The real file that has an inode's flags.
Result<sys::FileDescriptor> FileFlags::open(Inode& inode) {
  if (!inode.is_directory() && !inode.is_regular()) return Errno{ENOTTY};
  const int flags = inode.is_directory() ? O_RDONLY | O_DIRECTORY : O_RDONLY;
  LowerPlace lower;
  bool has_upper = false;
  {
    std::lock_guard guard(inode.mutex);
    has_upper = inode.has_upper;
    if (!has_upper) lower = inode.lowers.front();
  }
  if (!has_upper) return lowers_.of(lower).open(lower.reference, flags);
  LAMINA_ASSIGN(const Location at, places_.location(inode));
  return upper_files_.open(at, flags);
}

Result<std::uint32_t> FileFlags::get(NodeId node) {
  TreeLock::Shared lock(tree_);
  LAMINA_ASSIGN(const InodeRef inode, resolver_.get(node));
  LAMINA_ASSIGN(const sys::FileDescriptor real, open(*inode));
  LAMINA_ASSIGN(const std::uint32_t flags, sys::file_flags(real.get()));
  return with(flags, inode->protection.load());
}

Result<fsxattr> FileFlags::get_extended(NodeId node) {
  TreeLock::Shared lock(tree_);
  LAMINA_ASSIGN(const InodeRef inode, resolver_.get(node));
  LAMINA_ASSIGN(const sys::FileDescriptor real, open(*inode));
  LAMINA_ASSIGN(const fsxattr flags, sys::extended_file_flags(real.get()));
  return with(flags, inode->protection.load());
}

template <typename Flags, typename Set>
Status FileFlags::change(NodeId node, const Flags& flags, Set set_on) {
  TreeLock::Shared lock(tree_);
  LAMINA_ASSIGN(const InodeRef inode, resolver_.get(node));
  if (!inode->is_directory() && !inode->is_regular()) return Errno{ENOTTY};
  LAMINA_TRY(copier_.copy_up(inode, CopyUp::attributes, [] { return false; }));
  LAMINA_ASSIGN(const sys::FileDescriptor real, open(*inode));
  LAMINA_TRY(set_on(real.get(), with(flags, {})));
  LAMINA_ASSIGN(const Location at, places_.location(*inode));
  const Protection wanted = protection_in(flags);
  LAMINA_TRY(copies_.mark_protection({at.descriptor(), at.name}, wanted));
  inode->protection.store(wanted);
  return {};
}

Status FileFlags::set(NodeId node, std::uint32_t flags) { return change(node, flags, sys::set_file_flags); }
Status FileFlags::set_extended(NodeId node, const fsxattr& flags) {
  return change(node, flags, sys::set_extended_file_flags);
}

Status FileFlags::may_write(NodeId node, bool appends) {
  TreeLock::Shared lock(tree_);
  LAMINA_ASSIGN(const InodeRef inode, resolver_.get(node));
  return allow_write(*inode, appends);
}

}  // namespace lamina::overlay
