#include "overlay/tree/names/creator.h"

#include <sys/stat.h>

#include <memory>

#include "overlay/layers/attributes.h"
#include "overlay/tree/files/inheritance.h"
#include "overlay/tree/lookup/listings.h"
#include "overlay/upper/acl.h"
#include "sys/names.h"
#include "sys/open.h"
#include "sys/xattrs.h"

namespace lamina::overlay {

using sys::Errno;

// Makes the entry in the upper at once if no layer has the name: the call itself detects a name in the upper. False
// where one has; nothing is made then.
Result<bool> Creator::make_where_nothing_is(Inode& parent, int directory, std::string_view name,
                                            const Creation& creation, std::uint32_t mode, RealFileRef& opened) {
  LAMINA_ASSIGN(const bool below, names_.visible_below(parent, name));
  if (below) return false;
  const auto make = [&]() -> Status {
    if ((creation.mode & S_IFMT) != S_IFREG) return maker_.make(directory, name, creation, mode);
    LAMINA_ASSIGN(opened, maker_.make_open(directory, name, mode));
    return {};
  };
  const Status made = make();
  if (made.failed_with(EEXIST)) return false;
  if (!made) return made.error();
  return true;
}

Status Creator::make_at(Inode& parent, int directory, std::string_view name, const Creation& creation,
                        const Caller& caller, RealFileRef& opened) {
  LAMINA_ASSIGN(const NewAttributes attributes,
                new_attributes(parent, directory, maker_.owners(), creation.mode, caller));
  const bool plain = maker_.owners().in_inodes() && caller.uid == 0 && attributes.gid == 0 && !attributes.has_lists &&
                     !attributes.inherits_group && !creation.is_whiteout();
  if (plain) {
    LAMINA_ASSIGN(const bool made,
                  make_where_nothing_is(parent, directory, name, creation, attributes.inherited.mode, opened));
    if (made) return {};
  }
  LAMINA_ASSIGN(const Found before, names_.find(parent, name));
  if (before.visible()) return Errno{EEXIST};
  return maker_.make_in_work(directory, name, creation, attributes, before.upper_status() != nullptr);
}

Result<Entry> Creator::make(NodeId parent, std::string_view name, const Creation& creation, const Caller& caller,
                            Attempt* attempt) {
  Found made;
  InodeRef inode;
  RealFileRef opened;  // who makes a file nearly always writes it next
  {
    TreeLock::Shared lock(tree_);
    LAMINA_ASSIGN(const InodeRef directory, directories_.get(parent, name));
    LAMINA_ASSIGN(const RealFileRef place, places_.directory(*directory));
    // The kernel creates only names that it knows to be absent: an existing one is the work of an earlier attempt,
    // complete, because it was made in one step.
    bool made_before = false;
    if (attempt != nullptr && attempt->begun()) {
      LAMINA_ASSIGN(const Found before, names_.find(*directory, name));
      made_before = before.visible() && before.type() == (creation.mode & S_IFMT);
    }
    if (attempt != nullptr) attempt->begin();
    if (!made_before) LAMINA_TRY(make_at(*directory, place->descriptor(), name, creation, caller, opened));
    name_changed(*directory, name);
    LAMINA_ASSIGN(sys::FileStatus status, sys::status_at(place->descriptor(), name));
    if (creation.is_whiteout()) status = as_device(status);
    made.what = FoundInUpper{status, FoundInUpper::Form::fresh, {}, true};
    LAMINA_ASSIGN(inode, resolver_.intern(directory, name, made));
    if (opened) open_files_.put(inode->id, opened);
    if (inode->is_directory() && !made_before) note_no_whiteout_files(*inode);
  }
  return attributes_.entry(inode, made);
}

Result<Entry> Creator::make_node(NodeId parent, std::string_view name, std::uint32_t mode, std::uint32_t rdev_major,
                                 std::uint32_t rdev_minor, const Caller& caller, Attempt* attempt) {
  Creation creation;
  creation.mode = (mode & S_IFMT) == 0 ? mode | S_IFREG : mode;
  creation.rdev_major = rdev_major;
  creation.rdev_minor = rdev_minor;
  return make(parent, name, creation, caller, attempt);
}

// The device is built first: only two renames are left that may fail, and if the second does, or the driver dies
// between them, the old name is absent.
Status Creator::leave_device(NodeId parent, std::string_view name, const std::function<Status()>& rename) {
  return work_.build([&](std::string_view temporary) -> Status {
    LAMINA_TRY(maker_.make_device(temporary, 0));
    LAMINA_TRY(rename());
    TreeLock::Shared lock(tree_);
    LAMINA_ASSIGN(const InodeRef directory, directories_.get(parent, name));
    LAMINA_ASSIGN(const RealFileRef place, places_.directory(*directory));
    LAMINA_ASSIGN(const Found before, names_.find(*directory, name));
    if (before.visible()) return work_.discard(temporary);  // an earlier attempt has left it
    LAMINA_TRY(maker_.place_device(temporary, place->descriptor(), name, before.upper_status() != nullptr));
    name_changed(*directory, name);
    return {};
  });
}

Result<Entry> Creator::make_directory(NodeId parent, std::string_view name, std::uint32_t mode, const Caller& caller,
                                      Attempt* attempt) {
  Creation creation;
  creation.mode = S_IFDIR | (mode & 07777U);
  return make(parent, name, creation, caller, attempt);
}

Result<Entry> Creator::make_symlink(NodeId parent, std::string_view name, std::string_view target, const Caller& caller,
                                    Attempt* attempt) {
  Creation creation;
  creation.mode = S_IFLNK | 0777U;
  creation.target = target;
  return make(parent, name, creation, caller, attempt);
}

Result<Entry> Creator::make_unnamed(NodeId parent, std::uint32_t mode, const Caller& caller) {
  auto inode = std::make_shared<Inode>();
  {
    TreeLock::Shared lock(tree_);
    LAMINA_ASSIGN(const InodeRef directory, directories_.get(parent, ""));
    LAMINA_ASSIGN(const RealFileRef place, places_.directory(*directory));
    Creation creation;
    creation.mode = S_IFREG | (mode & 07777U);
    LAMINA_ASSIGN(const NewAttributes attributes,
                  new_attributes(*directory, place->descriptor(), maker_.owners(), creation.mode, caller));
    LAMINA_ASSIGN(sys::FileDescriptor made, sys::open_unnamed(work_.descriptor(), 0600));
    LAMINA_TRY(maker_.owners().set_owner({made.get(), {}}, attributes.uid, attributes.gid));
    if (attributes.inherited.access)
      LAMINA_TRY(sys::set_xattr(made.get(), "", access_acl_name, *attributes.inherited.access));
    LAMINA_TRY(maker_.owners().set_mode({made.get(), {}}, attributes.inherited.mode));
    LAMINA_ASSIGN(const sys::FileStatus status, sys::status_of(made.get()));
    inode->type = S_IFREG;
    inode->ino = status.ino;
    inode->has_upper = true;
    inode->nameless = true;
    inode->pin(std::make_shared<const RealFile>(made.release()));
    table_.add(inode, {0, status.ino});
  }
  return attributes_.entry(inode);
}

}  // namespace lamina::overlay
