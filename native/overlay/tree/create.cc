// New names: files, directories, symlinks, special files, files without a name, and hard links.
#include <fcntl.h>
#include <sys/stat.h>

#include "overlay/layers/whiteout_files.h"
#include "overlay/tree/inheritance.h"
#include "overlay/tree/overlay.h"
#include "overlay/tree/permissions.h"
#include "overlay/upper/acl.h"
#include "sys/names.h"
#include "sys/open.h"
#include "sys/xattrs.h"

namespace lamina::overlay {

using sys::Errno;

// A directory in the upper in which `name` may be made.
Result<InodeRef> Overlay::writable_directory(NodeId parent, std::string_view name) {
  if (!upper_) return Errno{EROFS};
  if (name.size() > 255) return Errno{ENAMETOOLONG};
  LAMINA_ASSIGN(InodeRef directory, get(parent));
  if (!directory->is_directory()) return Errno{ENOTDIR};
  {
    std::lock_guard lock(directory->mutex);
    if (directory->nameless) return Errno{ENOENT};
  }
  LAMINA_TRY(allow_write(*directory, true));
  LAMINA_TRY(copy_up(directory, CopyUp::attributes, [] { return false; }));
  if (!options_.whiteout_files || name.empty()) return directory;
  if (is_whiteout_file(name)) return Errno{EINVAL};
  LAMINA_ASSIGN(const RealFileRef place, upper_directory(*directory));
  LAMINA_TRY(maker_.replace_whiteout_file(place->descriptor(), name));
  return directory;
}

// Makes the entry in the upper at once if no layer has the name: the call itself detects a name in the upper. False
// where one has; nothing is made then.
Result<bool> Overlay::make_where_nothing_is(Inode& parent, int directory, std::string_view name,
                                            const Creation& creation, std::uint32_t mode) {
  LAMINA_ASSIGN(const bool below, visible_below(parent, name));
  if (below) return false;
  const Status made = maker_.make(directory, name, creation, mode);
  if (made.failed_with(EEXIST)) return false;
  if (!made) return made.error();
  return true;
}

Status Overlay::make_at(Inode& parent, int directory, std::string_view name, const Creation& creation,
                        const Caller& caller) {
  LAMINA_ASSIGN(const NewAttributes attributes, new_attributes(parent, directory, creation.mode, caller));
  const bool plain = caller.uid == 0 && attributes.gid == 0 && !attributes.has_lists && !attributes.inherits_group;
  if (plain) {
    LAMINA_ASSIGN(const bool made, make_where_nothing_is(parent, directory, name, creation, attributes.inherited.mode));
    if (made) return {};
  }
  LAMINA_ASSIGN(const Found before, find(parent, name));
  if (before.visible()) return Errno{EEXIST};
  return maker_.make_in_work(directory, name, creation, attributes, before.upper_status() != nullptr);
}

Result<Entry> Overlay::make(NodeId parent, std::string_view name, const Creation& creation, const Caller& caller,
                            Attempt* attempt) {
  Found made;
  InodeRef inode;
  {
    TreeLock::Shared lock(tree_);
    LAMINA_ASSIGN(const InodeRef directory, writable_directory(parent, name));
    LAMINA_ASSIGN(const RealFileRef place, upper_directory(*directory));
    // The kernel creates only names that it knows to be absent: an existing one is the work of an earlier attempt,
    // complete, for it was made in one step.
    bool made_before = false;
    if (attempt != nullptr && attempt->begun()) {
      LAMINA_ASSIGN(const Found before, find(*directory, name));
      made_before = before.visible() && before.type() == (creation.mode & S_IFMT);
    }
    if (attempt != nullptr) attempt->begin();
    if (!made_before) LAMINA_TRY(make_at(*directory, place->descriptor(), name, creation, caller));
    touched(*directory);
    LAMINA_ASSIGN(const sys::FileStatus status, sys::status_at(place->descriptor(), name));
    made.what = FoundInUpper{status, FoundInUpper::Form::fresh, {}};
    LAMINA_ASSIGN(inode, intern(directory, name, made));
  }
  return entry_of(inode, made);
}

Result<Entry> Overlay::make_node(NodeId parent, std::string_view name, std::uint32_t mode, std::uint32_t rdev_major,
                                 std::uint32_t rdev_minor, const Caller& caller, Attempt* attempt) {
  // A whiteout is one of our marks.
  if ((mode & S_IFMT) == S_IFCHR && rdev_major == 0 && rdev_minor == 0) return Errno{EPERM};
  Creation creation;
  creation.mode = (mode & S_IFMT) == 0 ? mode | S_IFREG : mode;
  creation.rdev_major = rdev_major;
  creation.rdev_minor = rdev_minor;
  return make(parent, name, creation, caller, attempt);
}

Result<Entry> Overlay::make_directory(NodeId parent, std::string_view name, std::uint32_t mode, const Caller& caller,
                                      Attempt* attempt) {
  Creation creation;
  creation.mode = S_IFDIR | (mode & 07777U);
  return make(parent, name, creation, caller, attempt);
}

Result<Entry> Overlay::make_symlink(NodeId parent, std::string_view name, std::string_view target, const Caller& caller,
                                    Attempt* attempt) {
  Creation creation;
  creation.mode = S_IFLNK | 0777U;
  creation.target = target;
  return make(parent, name, creation, caller, attempt);
}

Result<Entry> Overlay::make_unnamed(NodeId parent, std::uint32_t mode, const Caller& caller) {
  auto inode = std::make_shared<Inode>();
  {
    TreeLock::Shared lock(tree_);
    LAMINA_ASSIGN(const InodeRef directory, writable_directory(parent, ""));
    LAMINA_ASSIGN(const RealFileRef place, upper_directory(*directory));
    Creation creation;
    creation.mode = S_IFREG | (mode & 07777U);
    LAMINA_ASSIGN(const NewAttributes attributes,
                  new_attributes(*directory, place->descriptor(), creation.mode, caller));
    LAMINA_ASSIGN(sys::FileDescriptor made, sys::open_unnamed(work_.descriptor(), 0600));
    LAMINA_TRY(sys::change_owner(made.get(), "", attributes.uid, attributes.gid));
    if (attributes.inherited.access)
      LAMINA_TRY(sys::set_xattr(made.get(), "", access_acl_name, *attributes.inherited.access));
    LAMINA_TRY(sys::change_mode(made.get(), "", attributes.inherited.mode & 07777U));
    LAMINA_ASSIGN(const sys::FileStatus status, sys::status_of(made.get()));
    inode->type = S_IFREG;
    inode->ino = status.ino;
    inode->has_upper = true;
    inode->nameless = true;
    inode->pin(std::make_shared<const RealFile>(made.release()));
    table_.add(inode, {0, status.ino});
  }
  return entry_of(inode);
}

Result<Entry> Overlay::link(NodeId node, NodeId parent, std::string_view name, const Interrupted& interrupted,
                            Attempt* attempt) {
  InodeRef inode;
  {
    TreeLock::Shared lock(tree_);
    LAMINA_ASSIGN(inode, get(node));
    LAMINA_TRY(allow_change(*inode));
    LAMINA_ASSIGN(const InodeRef directory, writable_directory(parent, name));
    LAMINA_TRY(copy_up_for_link(inode, interrupted));
    LAMINA_ASSIGN(const Found before, find(*directory, name));
    LAMINA_ASSIGN(const RealFileRef place, upper_directory(*directory));
    LAMINA_ASSIGN(const Location from, location(*inode));
    bool linked_before = false;
    if (before.visible() && attempt != nullptr && attempt->begun()) {
      LAMINA_ASSIGN(const sys::FileStatus file, sys::status_at(from.descriptor(), from.name));
      linked_before = before.in_upper() != nullptr && before.in_upper()->status.ino == file.ino;
    }
    if (before.visible() && !linked_before) return Errno{EEXIST};
    if (attempt != nullptr) attempt->begin();
    if (!linked_before) LAMINA_TRY(maker_.link(from, place->descriptor(), name, before.upper_status() != nullptr));
    touched(*directory);
    std::lock_guard guard(inode->mutex);
    table_.move(*inode, directory, name);
    table_.raise(inode);
  }
  return entry_of(inode);
}

}  // namespace lamina::overlay
