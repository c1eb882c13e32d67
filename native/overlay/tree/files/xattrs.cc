#include "overlay/tree/files/xattrs.h"

#include <sys/xattr.h>

#include <mutex>

#include "overlay/tree/files/inheritance.h"
#include "overlay/tree/lookup/permissions.h"
#include "overlay/upper/acl.h"
#include "sys/xattrs.h"

namespace lamina::overlay {

using sys::Errno;

namespace {
constexpr std::string_view trusted_names = "trusted.";
// The kernel asks for it before each write(2) and chown(2): cap_inode_need_killpriv().
constexpr std::string_view capability_name = "security.capability";

struct Source {
  bool upper = false;
  LowerPlace lower;
};

// Where the mode is kept beside the file, the file system does not derive it from the list; and a list that says no
// more than a mode is none.
Status set_access_list(const UpperOwners& owners, const UpperPlace& at, std::span<const std::byte> value) {
  LAMINA_ASSIGN(const Acl list, Acl::parse(value));
  LAMINA_ASSIGN(const Attributes present, owners.attributes(at));
  if (list.equivalent_to_mode()) {
    const Status removed = sys::remove_xattr(at.directory, at.name, access_acl_name);
    if (!removed && !removed.failed_with(ENODATA) && !removed.failed_with(EOPNOTSUPP)) return removed;
  } else {
    LAMINA_TRY(sys::set_xattr(at.directory, at.name, access_acl_name, value));
  }
  return list.empty() ? Status() : owners.set_mode(at, (present.mode & ~0777U) | list.mode());
}

Source source_of(Inode& inode) {
  std::lock_guard lock(inode.mutex);
  Source source;
  source.upper = inode.has_upper;
  if (!source.upper) source.lower = inode.lowers.front();
  return source;
}
}  // namespace

Result<std::vector<std::byte>> Xattrs::get(NodeId node, std::string_view name) {
  if (hide_trusted_ && name.starts_with(trusted_names)) return Errno{ENODATA};
  if (marks_.is_reserved(name)) return Errno{ENODATA};
  TreeLock::Shared lock(tree_);
  LAMINA_ASSIGN(const InodeRef inode, resolver_.get(node));
  if (name == capability_name && inode->fresh.load()) return Errno{ENODATA};
  const std::string stored = marks_.to_disk(name);
  const Source source = source_of(*inode);
  if (!source.upper) return lowers_.of(source.lower).xattr(source.lower.reference, stored);
  LAMINA_ASSIGN(const Location at, places_.location(*inode));
  return sys::get_xattr(at.descriptor(), at.name, stored);
}

Result<std::string> Xattrs::names(NodeId node) {
  TreeLock::Shared lock(tree_);
  LAMINA_ASSIGN(const InodeRef inode, resolver_.get(node));
  const Source source = source_of(*inode);
  std::string stored;
  if (source.upper) {
    LAMINA_ASSIGN(const Location at, places_.location(*inode));
    LAMINA_ASSIGN(stored, sys::list_xattrs(at.descriptor(), at.name));
  } else {
    LAMINA_ASSIGN(stored, lowers_.of(source.lower).xattr_names(source.lower.reference));
  }
  std::string names;
  sys::for_each_name(stored, [&](std::string_view name) {
    const auto seen = marks_.to_user(name);
    if (!seen || (hide_trusted_ && seen->starts_with(trusted_names))) return;
    names += *seen;
    names += '\0';
  });
  return names;
}

Status Xattrs::set(NodeId node, std::string_view name, std::span<const std::byte> value, int flags, Attempt* attempt) {
  if (marks_.is_reserved(name)) return Errno{EPERM};
  TreeLock::Shared lock(tree_);
  LAMINA_ASSIGN(const InodeRef inode, resolver_.get(node));
  LAMINA_TRY(allow_change(*inode));
  LAMINA_TRY(copier_.copy_up(inode, CopyUp::attributes, [] { return false; }));
  LAMINA_ASSIGN(const Location at, places_.location(*inode));
  if (name == access_acl_name && !upper_files_.owners().in_inodes()) {
    return set_access_list(upper_files_.owners(), {at.descriptor(), at.name}, value);
  }
  const std::string stored = marks_.to_disk(name);
  if (attempt != nullptr && (flags & XATTR_CREATE) != 0) {
    const auto present = sys::get_xattr(at.descriptor(), at.name, stored);
    if (present && !attempt->begun()) return Errno{EEXIST};
    if (!present && !present.failed_with(ENODATA)) return present.error();
    attempt->begin();
    flags &= ~XATTR_CREATE;  // what exists now is from an earlier attempt
  }
  inode->fresh.store(false);
  LAMINA_TRY(sys::set_xattr(at.descriptor(), at.name, stored, value, flags));
  if (name == default_acl_name && inode->is_directory()) forget_inherited_attributes(*inode);
  return {};
}

Status Xattrs::remove(NodeId node, std::string_view name, Attempt* attempt) {
  if (marks_.is_reserved(name)) return Errno{ENODATA};
  TreeLock::Shared lock(tree_);
  LAMINA_ASSIGN(const InodeRef inode, resolver_.get(node));
  LAMINA_TRY(allow_change(*inode));
  const std::string stored = marks_.to_disk(name);
  // An empty access list removes the list, and is no error where there is none (posix_acl_xattr_set of the kernel).
  const bool is_list = name == access_acl_name || name == default_acl_name;
  const Source source = source_of(*inode);
  if (!source.upper) {
    if (!places_.upper()) return Errno{EROFS};
    auto present = lowers_.of(source.lower).xattr(source.lower.reference, stored);
    if (is_list && present.failed_with(ENODATA)) return {};
    if (!present) return present.error();
  }
  LAMINA_TRY(copier_.copy_up(inode, CopyUp::attributes, [] { return false; }));
  LAMINA_ASSIGN(const Location at, places_.location(*inode));
  const auto present = sys::get_xattr(at.descriptor(), at.name, stored);
  if (is_list && present.failed_with(ENODATA)) return {};
  const bool removed_before = present.failed_with(ENODATA) && attempt != nullptr && attempt->begun();
  if (!present && !removed_before) return present.error();
  if (attempt != nullptr) attempt->begin();
  if (!removed_before) LAMINA_TRY(sys::remove_xattr(at.descriptor(), at.name, stored));
  if (name == default_acl_name && inode->is_directory()) forget_inherited_attributes(*inode);
  return {};
}

}  // namespace lamina::overlay
