// New names: files, directories, symlinks, special files, files without a name, and hard links.
#include <fcntl.h>

#include "overlay/acl.h"
#include "overlay/create.h"
#include "overlay/overlay.h"
#include "sys/names.h"
#include "sys/open.h"
#include "sys/xattrs.h"

namespace lamina::overlay {

using sys::Errno;

namespace {
constexpr std::uint32_t type_mask = 0170000U;
constexpr std::uint32_t directory_type = 0040000U;
constexpr std::uint32_t symlink_type = 0120000U;
constexpr std::uint32_t character_type = 0020000U;
constexpr std::uint32_t setgid = 02000U;
}  // namespace

// A directory in the upper in which `name` may be made.
Result<InodeRef> Overlay::writable_directory(NodeId parent, std::string_view name) {
  if (!upper_) return Errno{EROFS};
  if (name.size() > 255) return Errno{ENAMETOOLONG};
  LAMINA_ASSIGN(InodeRef directory, table_.get(parent));
  if (!directory->is_directory()) return Errno{ENOTDIR};
  {
    std::lock_guard lock(directory->mutex);
    if (directory->nameless) return Errno{ENOENT};
  }
  LAMINA_TRY(copy_up(directory, CopyUp::attributes, [] { return false; }));
  return directory;
}

// Owner, mode and access lists that a new file gets from its maker and its directory.
Result<NewAttributes> Overlay::new_attributes(Inode& parent, int directory, const Creation& creation, const Caller& caller) {
  NewAttributes attributes;
  LAMINA_ASSIGN(const sys::FileStatus status, sys::status_of(directory));
  attributes.uid = caller.uid;
  attributes.gid = (status.mode & setgid) != 0 ? status.gid : caller.gid;
  attributes.inherits_group = (status.mode & setgid) != 0;
  attributes.inherited.mode = creation.mode;
  if ((creation.mode & type_mask) == symlink_type) return attributes;
  std::optional<std::vector<std::byte>> list;
  {
    std::lock_guard lock(parent.mutex);
    list = parent.directory().default_acl;
  }
  if (!list) {
    auto value = sys::get_xattr(directory, "", default_acl_name);
    if (!value && !value.failed_with(ENODATA) && !value.failed_with(EOPNOTSUPP)) return value.error();
    list = value ? std::move(*value) : std::vector<std::byte>();
    std::lock_guard lock(parent.mutex);
    parent.directory().default_acl = list;
  }
  std::optional<std::span<const std::byte>> given;
  if (!list->empty()) given = *list;
  LAMINA_ASSIGN(attributes.inherited, inherit(given, creation.mode, caller.umask));
  if ((creation.mode & type_mask) == directory_type && attributes.inherits_group) attributes.inherited.mode |= setgid;
  attributes.has_lists =
      attributes.inherited.access.has_value() || attributes.inherited.default_list.has_value() || given.has_value();
  return attributes;
}

Status Overlay::make_in(int directory, std::string_view name, const Creation& creation, std::uint32_t mode) {
  switch (creation.mode & type_mask) {
    case directory_type:
      return sys::make_directory(directory, name, mode & 07777U);
    case symlink_type:
      return sys::make_symlink(directory, name, creation.target);
    default:
      return sys::make_node(directory, name, mode, creation.rdev_major, creation.rdev_minor);
  }
}

// Puts what was built in work in the place of a whiteout.
Status Overlay::place_over(std::string_view temporary, int directory, std::string_view name, bool is_directory) {
  if (!is_directory) return sys::rename(work(), temporary, directory, name);
  LAMINA_TRY(sys::rename(work(), temporary, directory, name, RENAME_EXCHANGE));
  return discard(temporary);
}

Status Overlay::make_in_work(int directory, std::string_view name, const Creation& creation, const NewAttributes& attributes,
                             bool over_whiteout) {
  const std::string temporary = temporary_name();
  const std::uint32_t mode = attributes.inherited.mode;
  const bool is_directory = (mode & type_mask) == directory_type;
  const auto build = [&]() -> Status {
    LAMINA_TRY(make_in(work(), temporary, creation, mode));
    LAMINA_TRY(sys::change_owner(work(), temporary, attributes.uid, attributes.gid));
    if ((mode & type_mask) != symlink_type) {
      const auto lists = {std::pair(access_acl_name, &attributes.inherited.access),
                          std::pair(default_acl_name, &attributes.inherited.default_list)};
      for (const auto& [list, value] : lists) {
        if (*value) LAMINA_TRY(sys::set_xattr(work(), temporary, list, **value));
      }
      LAMINA_TRY(sys::change_mode(work(), temporary, mode & 07777U));
    }
    if (!over_whiteout) return sys::rename(work(), temporary, directory, name, RENAME_NOREPLACE);
    if (is_directory) LAMINA_TRY(make_mark(work(), temporary, marks_.opaque, opaque_value));
    return place_over(temporary, directory, name, is_directory);
  };
  const Status built = build();
  if (built) return {};
  const Status discarded = discard(temporary);
  return discarded || discarded.failed_with(ENOENT) ? built : discarded;
}

Result<Entry> Overlay::make(NodeId parent, std::string_view name, const Creation& creation, const Caller& caller) {
  InodeRef inode;
  {
    TreeLock::Shared lock(tree_);
    LAMINA_ASSIGN(const InodeRef directory, writable_directory(parent, name));
    LAMINA_ASSIGN(const Found before, find(*directory, name));
    if (before.visible) return Errno{EEXIST};
    LAMINA_ASSIGN(const RealFileRef place, upper_directory(*directory));
    LAMINA_ASSIGN(const NewAttributes attributes, new_attributes(*directory, place->descriptor(), creation, caller));
    const bool plain = caller.uid == 0 && attributes.gid == 0 && !attributes.has_lists && !attributes.inherits_group;
    if (plain && !before.in_upper) {
      LAMINA_TRY(make_in(place->descriptor(), name, creation, attributes.inherited.mode));
    } else {
      LAMINA_TRY(make_in_work(place->descriptor(), name, creation, attributes, before.in_upper));
    }
    touched(*directory);
    Found made;
    made.visible = made.in_upper = true;
    LAMINA_ASSIGN(made.upper, sys::status_at(place->descriptor(), name));
    LAMINA_ASSIGN(inode, intern(directory, name, made));
  }
  return entry_of(inode);
}

Result<Entry> Overlay::make_node(NodeId parent, std::string_view name, std::uint32_t mode, std::uint32_t rdev_major,
                                 std::uint32_t rdev_minor, const Caller& caller) {
  // A whiteout is a mark of ours.
  if ((mode & type_mask) == character_type && rdev_major == 0 && rdev_minor == 0) return Errno{EPERM};
  Creation creation;
  creation.mode = (mode & type_mask) == 0 ? mode | 0100000U : mode;
  creation.rdev_major = rdev_major;
  creation.rdev_minor = rdev_minor;
  return make(parent, name, creation, caller);
}

Result<Entry> Overlay::make_directory(NodeId parent, std::string_view name, std::uint32_t mode, const Caller& caller) {
  Creation creation;
  creation.mode = directory_type | (mode & 07777U);
  return make(parent, name, creation, caller);
}

Result<Entry> Overlay::make_symlink(NodeId parent, std::string_view name, std::string_view target, const Caller& caller) {
  Creation creation;
  creation.mode = symlink_type | 0777U;
  creation.target = target;
  return make(parent, name, creation, caller);
}

Result<Entry> Overlay::make_unnamed(NodeId parent, std::uint32_t mode, const Caller& caller) {
  auto inode = std::make_shared<Inode>();
  {
    TreeLock::Shared lock(tree_);
    LAMINA_ASSIGN(const InodeRef directory, writable_directory(parent, ""));
    LAMINA_ASSIGN(const RealFileRef place, upper_directory(*directory));
    Creation creation;
    creation.mode = 0100000U | (mode & 07777U);
    LAMINA_ASSIGN(const NewAttributes attributes, new_attributes(*directory, place->descriptor(), creation, caller));
    LAMINA_ASSIGN(sys::FileDescriptor made, sys::open_unnamed(work(), 0600));
    LAMINA_TRY(sys::change_owner(made.get(), "", attributes.uid, attributes.gid));
    if (attributes.inherited.access) LAMINA_TRY(sys::set_xattr(made.get(), "", access_acl_name, *attributes.inherited.access));
    LAMINA_TRY(sys::change_mode(made.get(), "", attributes.inherited.mode & 07777U));
    LAMINA_ASSIGN(const sys::FileStatus status, sys::status_of(made.get()));
    inode->type = 0100000U;
    inode->ino = status.ino;
    inode->has_upper = true;
    inode->nameless = true;
    inode->pin(std::make_shared<const RealFile>(made.release()));
    table_.add(inode);
    table_.add_key(inode, {0, status.ino});
  }
  return entry_of(inode);
}

Result<Entry> Overlay::link(NodeId node, NodeId parent, std::string_view name, const Interrupted& interrupted) {
  LAMINA_ASSIGN(const InodeRef inode, table_.get(node));
  {
    TreeLock::Shared lock(tree_);
    LAMINA_ASSIGN(const InodeRef directory, writable_directory(parent, name));
    LAMINA_TRY(copy_up(inode, CopyUp::data, interrupted));
    LAMINA_ASSIGN(const Found before, find(*directory, name));
    if (before.visible) return Errno{EEXIST};
    LAMINA_ASSIGN(const RealFileRef place, upper_directory(*directory));
    LAMINA_ASSIGN(const Location from, location(*inode));
    const auto link_to = [&](int target, std::string_view at) {
      return from.name.empty() ? sys::link_descriptor(from.descriptor(), target, at)
                               : sys::link(from.descriptor(), from.name, target, at);
    };
    if (before.in_upper) {
      const std::string temporary = temporary_name();
      LAMINA_TRY(link_to(work(), temporary));
      LAMINA_TRY(sys::rename(work(), temporary, place->descriptor(), name));
    } else {
      LAMINA_TRY(link_to(place->descriptor(), name));
    }
    touched(*directory);
    std::lock_guard guard(inode->mutex);
    inode->parent = directory;
    inode->name = name;
    inode->nameless = false;
    inode->unpin();
  }
  table_.intern(inode->keys.back(), [&] { return inode; });
  return entry_of(inode);
}

}  // namespace lamina::overlay
