#include "overlay/tree/copy_up/copy_builder.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <mutex>

#include "overlay/layers/attributes.h"
#include "overlay/upper/acl.h"
#include "sys/data.h"
#include "sys/names.h"
#include "sys/open.h"
#include "sys/xattrs.h"

namespace lamina::overlay {

namespace {

// No layer shows a real device 0:0: that is a whiteout.
bool stands_for_device(std::uint32_t type, const Attributes& shown) {
  return type == S_IFCHR && shown.rdev_major == 0 && shown.rdev_minor == 0;
}

}  // namespace

Result<std::uint64_t> CopyBuilder::build(Inode& inode, const LowerPlace& source, const LowerEntry& entry,
                                         std::string_view name, CopyUp what, const Interrupted& interrupted) {
  const Attributes& from = entry.attributes;
  const int work = work_.descriptor();
  LAMINA_TRY(make(inode, source, entry, name, what, interrupted));
  LAMINA_ASSIGN(const sys::FileStatus copy, sys::status_at(work, name));
  // Most files belong to whoever mounts, and chown(2) writes the inode even if it changes nothing.
  const bool is_owner = files_.owners().in_inodes() && copy.uid == from.uid && copy.gid == from.gid;
  if (!is_owner) LAMINA_TRY(files_.owners().set_owner(work_.place(name), from.uid, from.gid));
  if (entry.marks.protection.any()) LAMINA_TRY(mark_protection(work_.place(name), entry.marks.protection));
  LAMINA_TRY(copy_xattrs(source, name));
  // Last, in the space that is left. If the hard links are separated, the others keep the lower's number: the copy has
  // its own, as in the kernel.
  if (!inode.is_directory() && !splits_on_copy_up(lowers_.of(source), from)) {
    LAMINA_TRY(numbers_.mark(inode, work_.place(name), copy.ino));
  }
  if (inode.type != S_IFLNK) LAMINA_TRY(files_.owners().set_mode(work_.place(name), from.mode));
  LAMINA_TRY(sys::change_times(work, name, sys::TimeChange::to(to_file_time(from.atime)),
                               sys::TimeChange::to(to_file_time(from.mtime))));
  return copy.ino;
}

// The object itself, with its data.
Status CopyBuilder::make(Inode& inode, const LowerPlace& source, const LowerEntry& entry, std::string_view name,
                         CopyUp what, const Interrupted& interrupted) {
  const int work = work_.descriptor();
  switch (inode.type) {
    case S_IFDIR:
      return sys::make_directory(work, name, 0700);
    case S_IFLNK: {
      LAMINA_ASSIGN(const std::string target, lowers_.of(source).read_link(source.reference));
      return sys::make_symlink(work, name, target);
    }
    case S_IFREG:
      return fill(inode, entry, name, what, interrupted);
    default:
      if (stands_for_device(inode.type, entry.attributes)) return escaped_.make(work_.place(name), 0);
      return sys::make_node(work, name, inode.type | 0600, entry.attributes.rdev_major, entry.attributes.rdev_minor);
  }
}

Status CopyBuilder::fill(Inode& inode, const LowerEntry& entry, std::string_view name, CopyUp what,
                         const Interrupted& interrupted) {
  LAMINA_ASSIGN(const sys::FileDescriptor to,
                sys::open_child(work_.descriptor(), name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (what == CopyUp::attributes) {
    LAMINA_TRY(sys::set_size(to.get(), entry.attributes.size));
    return files_.set_mark(work_.place(name), marks_.metacopy, "");
  }
  if (what == CopyUp::no_data || entry.attributes.size == 0) return {};
  LowerPlace data;
  {
    std::lock_guard lock(inode.mutex);
    // For a metacopy the attributes are first, the data last.
    data = inode.lowers.back();
  }
  return copy_data(data, entry.attributes.size, to.get(), interrupted);
}

Status CopyBuilder::copy_data(const LowerPlace& source, std::uint64_t size, int to, const Interrupted& interrupted) {
  LAMINA_ASSIGN(const sys::FileDescriptor from, lowers_.of(source).open(source.reference, O_RDONLY));
  LAMINA_ASSIGN(const std::uint64_t copied, sys::copy_data(from.get(), to, size, interrupted));
  copied_bytes_.fetch_add(copied, std::memory_order_relaxed);
  return {};
}

Status CopyBuilder::copy_xattrs(const LowerPlace& source, std::string_view name) {
  const Layer& layer = lowers_.of(source);
  LAMINA_ASSIGN(const std::string names, layer.xattr_names(source.reference));
  Status copied;
  const auto copy = [&](std::string_view xattr) {
    auto value = layer.xattr(source.reference, xattr);
    copied = value ? sys::set_xattr(work_.descriptor(), name, xattr, *value) : Status(value.error());
  };
  bool has_list = false;
  sys::for_each_name(names, [&](std::string_view xattr) {
    has_list = has_list || xattr == access_acl_name;
    if (copied && !marks_.is_private(xattr) && xattr != access_acl_name) copy(xattr);
  });
  // The list acts as a mode: it may deny the owner what the other attributes need.
  if (copied && has_list) copy(access_acl_name);
  return copied;
}

Status CopyBuilder::mark_protection(const UpperPlace& place, const Protection& protection) {
  if (protection.any()) return files_.set_mark(place, marks_.protattr, encode(protection));
  const Status removed = sys::remove_xattr(place.directory, place.name, marks_.protattr);
  return removed.failed_with(ENODATA) || removed.failed_with(EOPNOTSUPP) ? Status() : removed;
}

}  // namespace lamina::overlay
