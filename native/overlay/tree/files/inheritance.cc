#include "overlay/tree/files/inheritance.h"

#include <sys/stat.h>

#include <mutex>

#include "sys/status.h"
#include "sys/xattrs.h"

namespace lamina::overlay {

namespace {

// What new entries inherit from a directory, read from its upper at `descriptor`.
Result<InheritedAttributes> inherited_attributes_of(Inode& directory, int descriptor, const UpperOwners& owners) {
  std::uint64_t version = 0;
  {
    std::lock_guard lock(directory.mutex);
    const DirectoryState& state = directory.directory();
    if (state.inherited_attributes) return *state.inherited_attributes;
    version = state.inherited_version;
  }
  InheritedAttributes inherited_attributes;
  LAMINA_ASSIGN(const Attributes its, owners.attributes({descriptor, {}}));
  if ((its.mode & S_ISGID) != 0) inherited_attributes.group = its.gid;
  auto list = sys::get_xattr(descriptor, "", default_acl_name);
  if (!list && !list.failed_with(ENODATA) && !list.failed_with(EOPNOTSUPP)) return list.error();
  if (list) inherited_attributes.default_acl = std::move(*list);
  std::lock_guard lock(directory.mutex);
  if (directory.directory().inherited_version == version)
    directory.directory().inherited_attributes = inherited_attributes;
  return inherited_attributes;
}

}  // namespace

void forget_inherited_attributes(Inode& directory) {
  std::lock_guard lock(directory.mutex);
  ++directory.directory().inherited_version;
  directory.directory().inherited_attributes.reset();
}

Result<NewAttributes> new_attributes(Inode& parent, int directory, const UpperOwners& owners, std::uint32_t mode,
                                     const Caller& caller) {
  LAMINA_ASSIGN(const InheritedAttributes inherited_attributes, inherited_attributes_of(parent, directory, owners));
  NewAttributes attributes;
  attributes.uid = caller.uid;
  attributes.gid = inherited_attributes.group.value_or(caller.gid);
  attributes.inherits_group = inherited_attributes.group.has_value();
  attributes.inherited.mode = mode;
  if ((mode & S_IFMT) == S_IFLNK) return attributes;
  std::optional<std::span<const std::byte>> given;
  if (!inherited_attributes.default_acl.empty()) given = inherited_attributes.default_acl;
  LAMINA_ASSIGN(attributes.inherited, inherit(given, mode, caller.umask));
  if ((mode & S_IFMT) == S_IFDIR && attributes.inherits_group) attributes.inherited.mode |= S_ISGID;
  attributes.has_lists =
      attributes.inherited.access.has_value() || attributes.inherited.default_list.has_value() || given.has_value();
  return attributes;
}

}  // namespace lamina::overlay
