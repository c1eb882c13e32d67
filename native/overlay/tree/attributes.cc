// Attributes: stat, and chmod, chown, utimensat, truncate.
#include <fcntl.h>
#include <sys/stat.h>

#include "overlay/layers/attributes.h"
#include "overlay/tree/inheritance.h"
#include "overlay/tree/overlay.h"
#include "sys/data.h"
#include "sys/names.h"
#include "sys/open.h"

namespace lamina::overlay {

using sys::Errno;

namespace {
constexpr std::uint32_t set_id = 06000U;  // setuid and setgid: an unseen write may clear them
}

Result<Attributes> Overlay::attributes(NodeId node) {
  TreeLock::Shared lock(tree_);
  LAMINA_ASSIGN(const InodeRef inode, get(node));
  bool has_upper = false;
  bool metacopy = false;
  bool merged = false;
  bool nameless = false;
  bool written = false;
  bool mapped = false;
  LowerPlace lower;
  {
    std::lock_guard guard(inode->mutex);
    written = inode->written_unseen;
    mapped = inode->mapped_unseen;
    has_upper = inode->has_upper;
    metacopy = inode->metacopy;
    nameless = inode->nameless;
    merged = inode->is_directory() && inode->lowers.size() + (has_upper ? 1U : 0U) > 1;
    if (!inode->lowers.empty()) lower = has_upper ? inode->lowers.back() : inode->lowers.front();
  }
  Attributes attributes;
  if (has_upper) {
    LAMINA_ASSIGN(const Location at, location(*inode));
    const auto modes = upper_files_.steady_modes();
    LAMINA_ASSIGN(const sys::FileStatus status, sys::status_at(at.descriptor(), at.name));
    attributes = to_attributes(status);
    if (metacopy) {
      LAMINA_ASSIGN(const LowerEntry data, lowers_.of(lower).get(lower.reference));
      attributes.blocks = data.attributes.blocks;
    }
  } else {
    LAMINA_ASSIGN(LowerEntry entry, lowers_.of(lower).get(lower.reference));
    attributes = entry.attributes;
    const std::uint32_t links = attributes.nlink;
    LAMINA_ASSIGN(attributes.nlink, visible_links(*inode, lower, links));
    if (nameless && (links < 2 || !lowers_.of(lower).indexed())) attributes.nlink = 0;
  }
  attributes.ino = inode->ino;
  attributes.uncacheable = inode->id != node || mapped || (written && (attributes.mode & set_id) != 0);
  // As in the kernel: the subdirectories of a merged directory are not counted.
  if (merged || (options_.static_nlink && inode->is_directory())) attributes.nlink = 1;
  if (nameless && inode->is_directory()) attributes.nlink = 0;
  return attributes;
}

namespace {
sys::TimeChange change_of(const std::optional<SetAttributes::Time>& time) {
  if (!time) return {};
  return time->now ? sys::TimeChange::to_now() : sys::TimeChange::to(to_file_time(time->value));
}

// Clears setuid, and setgid where group execute is set or the caller is not in the group (setattr_should_drop_suidgid
// of the kernel).
Status kill_suidgid(const Location& at, bool outside_group) {
  LAMINA_ASSIGN(const sys::FileStatus status, sys::status_at(at.descriptor(), at.name));
  std::uint32_t mode = status.mode & 07777U;
  mode &= ~04000U;
  if (outside_group || (mode & 00010U) != 0) mode &= ~02000U;
  return mode == (status.mode & 07777U) ? Status() : sys::change_mode(at.descriptor(), at.name, mode);
}

// All attributes except the size.
Status apply(const Location& at, const SetAttributes& change, bool regular) {
  const bool owner = change.uid || change.gid;
  if (owner) {
    LAMINA_TRY(sys::change_owner(at.descriptor(), at.name, change.uid.value_or(sys::keep_id),
                                 change.gid.value_or(sys::keep_id)));
  }
  if (change.mode) LAMINA_TRY(sys::change_mode(at.descriptor(), at.name, *change.mode & 07777U));
  // chown(2) has done it already, except what depends on the caller's groups.
  if (change.kill_suidgid && regular && !change.mode && (!owner || change.outside_group)) {
    LAMINA_TRY(kill_suidgid(at, change.outside_group));
  }
  if (!change.atime && !change.mtime) return {};
  return sys::change_times(at.descriptor(), at.name, change_of(change.atime), change_of(change.mtime));
}
}  // namespace

Result<Attributes> Overlay::set_attributes(NodeId node, const SetAttributes& change, const Interrupted& interrupted) {
  if (!upper_) return Errno{EROFS};
  {
    TreeLock::Shared lock(tree_);
    LAMINA_ASSIGN(const InodeRef inode, get(node));
    if (!allows(inode->protection.load(), change)) return Errno{EPERM};
  }
  if (change.size) {
    {
      TreeLock::Shared lock(tree_);
      LAMINA_ASSIGN(const InodeRef inode, get(node));
      if (inode->is_directory()) return Errno{EISDIR};
      if (*change.size == 0) LAMINA_TRY(copy_up(inode, CopyUp::no_data, interrupted));
    }
    LAMINA_ASSIGN(const RealFileRef real, file(node, Access::write, interrupted));
    LAMINA_TRY(sys::set_size(real->descriptor(), *change.size));
  }
  {
    TreeLock::Shared lock(tree_);
    LAMINA_ASSIGN(const InodeRef inode, get(node));
    LAMINA_TRY(copy_up(inode, CopyUp::attributes, interrupted));
    LAMINA_ASSIGN(const Location at, location(*inode));
    const auto modes = upper_files_.steady_modes();
    const Status applied = apply(at, change, inode->is_regular());
    if (inode->is_directory()) forget_inherited_attributes(*inode);
    LAMINA_TRY(applied);
  }
  return attributes(node);
}

Result<std::string> Overlay::read_link(NodeId node) {
  TreeLock::Shared lock(tree_);
  LAMINA_ASSIGN(const InodeRef inode, get(node));
  if (inode->type != S_IFLNK) return Errno{EINVAL};
  LowerPlace lower;
  bool has_upper = false;
  {
    std::lock_guard guard(inode->mutex);
    has_upper = inode->has_upper;
    if (!has_upper) lower = inode->lowers.front();
  }
  if (!has_upper) return lowers_.of(lower).read_link(lower.reference);
  LAMINA_ASSIGN(const Location at, location(*inode));
  // There is no O_NOATIME for symlinks.
  if (quiet_upper_.valid() && !at.name.empty()) {
    LAMINA_ASSIGN(const std::string path, path_of(*inode));
    LAMINA_ASSIGN(const sys::FileDescriptor link, sys::open_beneath(quiet_upper_.get(), path, O_PATH | O_NOFOLLOW));
    return sys::read_link(link.get(), "");
  }
  return sys::read_link(at.descriptor(), at.name);
}

Result<FileSystemStatistics> Overlay::statistics() {
  int descriptor = upper_ ? upper_->descriptor() : -1;
  sys::FileDescriptor opened;
  if (!upper_) {
    LAMINA_ASSIGN(opened, lowers_[0].open(lowers_[0].root(), O_PATH | O_DIRECTORY));
    descriptor = opened.get();
  }
  LAMINA_ASSIGN(const sys::FileSystemStatus status, sys::file_system_status(descriptor));
  return FileSystemStatistics{status.blocks,     status.blocks_free, status.blocks_available, status.files,
                              status.files_free, status.block_size,  status.name_length,      status.fragment_size};
}

OverlayCounters Overlay::counters() const {
  OverlayCounters counters;
  counters.copy_ups = copy_ups_.load();
  counters.copy_up_bytes = copies_.copied_bytes();
  counters.inodes = table_.size();
  counters.cached_files = files_.size();
  counters.cached_directories = directories_.size();
  counters.cached_listings = lists_.size();
  counters.index_lookups = lowers_.index_lookups();
  counters.directory_lookups = lowers_.directory_lookups();
  return counters;
}

}  // namespace lamina::overlay
