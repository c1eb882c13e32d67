// New names: files, directories, symlinks, special files, files without a name, and hard links.
#include <fcntl.h>
#include <sys/stat.h>

#include "overlay/layers/whiteout_files.h"
#include "overlay/tree/create.h"
#include "overlay/tree/overlay.h"
#include "overlay/upper/acl.h"
#include "sys/names.h"
#include "sys/open.h"
#include "sys/xattrs.h"

namespace lamina::overlay {

using sys::Errno;

namespace {
constexpr std::uint32_t setgid = 02000U;
}  // namespace

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
  LAMINA_TRY(replace_whiteout_file(place->descriptor(), name));
  return directory;
}

// Replaces a file that hides the name in the upper by a whiteout of the kernel's form.
Status Overlay::replace_whiteout_file(int directory, std::string_view name) {
  LAMINA_ASSIGN(const bool hidden, has_whiteout_file(directory, name));
  if (!hidden) return {};
  const std::string temporary = work_.new_name();
  LAMINA_TRY(sys::make_node(work_.descriptor(), temporary, S_IFCHR, 0, 0));
  // Whatever is below the name is hidden too.
  const UpperPlace from = work_.place(temporary), to{directory, name};
  Status placed = upper_files_.rename(from, to);
  if (placed.failed_with(EISDIR)) placed = upper_files_.rename(from, to, RENAME_EXCHANGE);
  const Status discarded = work_.discard(temporary);
  LAMINA_TRY(placed);
  if (!discarded && !discarded.failed_with(ENOENT)) return discarded;
  return upper_files_.remove_tree({directory, whiteout_file_of(name)});
}

// What new entries inherit from a directory, read from its upper at `descriptor`.
Result<InheritedAttributes> Overlay::inherited_attributes_of(Inode& directory, int descriptor) {
  std::uint64_t version = 0;
  {
    std::lock_guard lock(directory.mutex);
    const DirectoryState& state = directory.directory();
    if (state.inherited_attributes) return *state.inherited_attributes;
    version = state.inherited_version;
  }
  InheritedAttributes inherited_attributes;
  LAMINA_ASSIGN(const sys::FileStatus status, sys::status_of(descriptor));
  if ((status.mode & setgid) != 0) inherited_attributes.group = status.gid;
  auto list = sys::get_xattr(descriptor, "", default_acl_name);
  if (!list && !list.failed_with(ENODATA) && !list.failed_with(EOPNOTSUPP)) return list.error();
  if (list) inherited_attributes.default_acl = std::move(*list);
  std::lock_guard lock(directory.mutex);
  if (directory.directory().inherited_version == version)
    directory.directory().inherited_attributes = inherited_attributes;
  return inherited_attributes;
}

// Called after a change to what a directory hands down.
void Overlay::forget_inherited_attributes(Inode& directory) {
  std::lock_guard lock(directory.mutex);
  ++directory.directory().inherited_version;
  directory.directory().inherited_attributes.reset();
}

// Owner, mode and access lists that a new file gets from its maker and its directory.
Result<NewAttributes> Overlay::new_attributes(Inode& parent, int directory, const Creation& creation,
                                              const Caller& caller) {
  LAMINA_ASSIGN(const InheritedAttributes inherited_attributes, inherited_attributes_of(parent, directory));
  NewAttributes attributes;
  attributes.uid = caller.uid;
  attributes.gid = inherited_attributes.group.value_or(caller.gid);
  attributes.inherits_group = inherited_attributes.group.has_value();
  attributes.inherited.mode = creation.mode;
  if ((creation.mode & S_IFMT) == S_IFLNK) return attributes;
  std::optional<std::span<const std::byte>> given;
  if (!inherited_attributes.default_acl.empty()) given = inherited_attributes.default_acl;
  LAMINA_ASSIGN(attributes.inherited, inherit(given, creation.mode, caller.umask));
  if ((creation.mode & S_IFMT) == S_IFDIR && attributes.inherits_group) attributes.inherited.mode |= setgid;
  attributes.has_lists =
      attributes.inherited.access.has_value() || attributes.inherited.default_list.has_value() || given.has_value();
  return attributes;
}

Status Overlay::make_in(int directory, std::string_view name, const Creation& creation, std::uint32_t mode) {
  return upper_files_.change_names(directory, [&] {
    switch (creation.mode & S_IFMT) {
      case S_IFDIR:
        return sys::make_directory(directory, name, mode & 07777U);
      case S_IFLNK:
        return sys::make_symlink(directory, name, creation.target);
      default:
        return sys::make_node(directory, name, mode, creation.rdev_major, creation.rdev_minor);
    }
  });
}

Status Overlay::make_in_work(int directory, std::string_view name, const Creation& creation,
                             const NewAttributes& attributes, bool over_whiteout) {
  const std::uint32_t mode = attributes.inherited.mode;
  const bool is_directory = (mode & S_IFMT) == S_IFDIR;
  const int work = work_.descriptor();
  return work_.build([&](std::string_view temporary) -> Status {
    LAMINA_TRY(make_in(work, temporary, creation, mode));
    LAMINA_TRY(sys::change_owner(work, temporary, attributes.uid, attributes.gid));
    if ((mode & S_IFMT) != S_IFLNK) {
      const auto lists = {std::pair(access_acl_name, &attributes.inherited.access),
                          std::pair(default_acl_name, &attributes.inherited.default_list)};
      for (const auto& [list, value] : lists) {
        if (*value) LAMINA_TRY(sys::set_xattr(work, temporary, list, **value));
      }
      LAMINA_TRY(sys::change_mode(work, temporary, mode & 07777U));
    }
    if (!over_whiteout) return upper_files_.rename(work_.place(temporary), {directory, name}, RENAME_NOREPLACE);
    if (is_directory) LAMINA_TRY(upper_files_.set_mark(work_.place(temporary), marks_.opaque, opaque_value));
    return work_.replace_whiteout(temporary, is_directory, {directory, name});
  });
}

// Makes the entry in the upper at once if no layer has the name: the call itself detects a name in the upper. False
// where one has; nothing is made then.
Result<bool> Overlay::make_where_nothing_is(Inode& parent, int directory, std::string_view name,
                                            const Creation& creation, std::uint32_t mode) {
  LAMINA_ASSIGN(const bool below, visible_below(parent, name));
  if (below) return false;
  const Status made = make_in(directory, name, creation, mode);
  if (made.failed_with(EEXIST)) return false;
  if (!made) return made.error();
  return true;
}

Status Overlay::make_at(Inode& parent, int directory, std::string_view name, const Creation& creation,
                        const Caller& caller) {
  LAMINA_ASSIGN(const NewAttributes attributes, new_attributes(parent, directory, creation, caller));
  const bool plain = caller.uid == 0 && attributes.gid == 0 && !attributes.has_lists && !attributes.inherits_group;
  if (plain) {
    LAMINA_ASSIGN(const bool made, make_where_nothing_is(parent, directory, name, creation, attributes.inherited.mode));
    if (made) return {};
  }
  LAMINA_ASSIGN(const Found before, find(parent, name));
  if (before.visible()) return Errno{EEXIST};
  return make_in_work(directory, name, creation, attributes, before.upper_status() != nullptr);
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
    LAMINA_ASSIGN(const NewAttributes attributes, new_attributes(*directory, place->descriptor(), creation, caller));
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

Status Overlay::link_at(const Location& from, const RealFile& place, std::string_view name, bool over_whiteout) {
  const auto link_to = [&](int target, std::string_view at) {
    return from.name.empty() ? sys::link_descriptor(from.descriptor(), target, at)
                             : sys::link(from.descriptor(), from.name, target, at);
  };
  if (!over_whiteout)
    return upper_files_.change_names(place.descriptor(), [&] { return link_to(place.descriptor(), name); });
  return work_.build([&](std::string_view temporary) -> Status {
    LAMINA_TRY(link_to(work_.descriptor(), temporary));
    return upper_files_.rename(work_.place(temporary), {place.descriptor(), name});
  });
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
    if (!linked_before) LAMINA_TRY(link_at(from, *place, name, before.upper_status() != nullptr));
    touched(*directory);
    std::lock_guard guard(inode->mutex);
    table_.move(*inode, directory, name);
    table_.raise(inode);
  }
  return entry_of(inode);
}

}  // namespace lamina::overlay
