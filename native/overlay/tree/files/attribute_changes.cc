#include "overlay/tree/files/attribute_changes.h"

#include <sys/stat.h>

#include "overlay/layers/attributes.h"
#include "overlay/tree/files/inheritance.h"
#include "sys/data.h"
#include "sys/names.h"

namespace lamina::overlay {

using sys::Errno;

namespace {
sys::TimeChange change_of(const std::optional<SetAttributes::Time>& time) {
  if (!time) return {};
  return time->now ? sys::TimeChange::to_now() : sys::TimeChange::to(to_file_time(time->value));
}

// Clears setuid, and setgid where group execute is set or the caller is not in the group (setattr_should_drop_suidgid
// of the kernel).
Status kill_suidgid(const UpperOwners& owners, const UpperPlace& at, bool outside_group) {
  LAMINA_ASSIGN(const Attributes present, owners.attributes(at));
  std::uint32_t mode = present.mode & 07777U;
  mode &= ~04000U;
  if (outside_group || (mode & 00010U) != 0) mode &= ~02000U;
  return mode == (present.mode & 07777U) ? Status() : owners.set_mode(at, mode);
}

// All attributes except the size.
Status apply(const UpperOwners& owners, const UpperPlace& at, const SetAttributes& change, bool regular) {
  const bool owner = change.uid || change.gid;
  if (owner) LAMINA_TRY(owners.set_owner(at, change.uid.value_or(sys::keep_id), change.gid.value_or(sys::keep_id)));
  if (change.mode) LAMINA_TRY(owners.set_mode(at, *change.mode));
  // chown(2) has done it already, except what depends on the caller's groups.
  const bool done = owner && owners.in_inodes();
  if (change.kill_suidgid && regular && !change.mode && (!done || change.outside_group)) {
    LAMINA_TRY(kill_suidgid(owners, at, change.outside_group));
  }
  if (!change.atime && !change.mtime) return {};
  return sys::change_times(at.directory, at.name, change_of(change.atime), change_of(change.mtime));
}
}  // namespace

Result<Attributes> AttributeChanges::make(NodeId node, const SetAttributes& change, const Interrupted& interrupted) {
  if (!places_.upper()) return Errno{EROFS};
  {
    TreeLock::Shared lock(tree_);
    LAMINA_ASSIGN(const InodeRef inode, resolver_.get(node));
    if (!allows(inode->protection.load(), change)) return Errno{EPERM};
  }
  if (change.size) {
    {
      TreeLock::Shared lock(tree_);
      LAMINA_ASSIGN(const InodeRef inode, resolver_.get(node));
      if (inode->is_directory()) return Errno{EISDIR};
      if (*change.size == 0) LAMINA_TRY(copier_.copy_up(inode, CopyUp::no_data, interrupted));
    }
    LAMINA_ASSIGN(const RealFileRef real, contents_.file(node, Access::write, interrupted));
    LAMINA_TRY(sys::set_size(real->descriptor(), *change.size));
  }
  {
    TreeLock::Shared lock(tree_);
    LAMINA_ASSIGN(const InodeRef inode, resolver_.get(node));
    LAMINA_TRY(copier_.copy_up(inode, CopyUp::attributes, interrupted));
    LAMINA_ASSIGN(const Location at, places_.location(*inode));
    const auto modes = upper_files_.steady_modes();
    const Status applied = apply(upper_files_.owners(), {at.descriptor(), at.name}, change, inode->is_regular());
    if (inode->is_directory()) forget_inherited_attributes(*inode);
    LAMINA_TRY(applied);
  }
  return attributes_.of(node);
}

}  // namespace lamina::overlay
