// Extended attributes as users see them: overlay marks hidden, those of a nested overlay under their own names.
#include <sys/xattr.h>

#include "overlay/tree/inheritance.h"
#include "overlay/tree/overlay.h"
#include "overlay/tree/permissions.h"
#include "overlay/upper/acl.h"
#include "sys/xattrs.h"

namespace lamina::overlay {

using sys::Errno;

namespace {
constexpr std::string_view trusted_prefix = "trusted.";

struct Source {
  bool upper = false;
  LowerPlace lower;
};

Source source_of(Inode& inode) {
  std::lock_guard lock(inode.mutex);
  Source source;
  source.upper = inode.has_upper;
  if (!source.upper) source.lower = inode.lowers.front();
  return source;
}
}  // namespace

Result<std::vector<std::byte>> Overlay::xattr(NodeId node, std::string_view name) {
  if (options_.hide_trusted && name.starts_with(trusted_prefix)) return Errno{ENODATA};
  TreeLock::Shared lock(tree_);
  LAMINA_ASSIGN(const InodeRef inode, get(node));
  const std::string stored = marks_.to_disk(name);
  const Source source = source_of(*inode);
  if (!source.upper) return lowers_.of(source.lower).xattr(source.lower.reference, stored);
  LAMINA_ASSIGN(const Location at, location(*inode));
  return sys::get_xattr(at.descriptor(), at.name, stored);
}

Result<std::string> Overlay::xattr_names(NodeId node) {
  TreeLock::Shared lock(tree_);
  LAMINA_ASSIGN(const InodeRef inode, get(node));
  const Source source = source_of(*inode);
  std::string stored;
  if (source.upper) {
    LAMINA_ASSIGN(const Location at, location(*inode));
    LAMINA_ASSIGN(stored, sys::list_xattrs(at.descriptor(), at.name));
  } else {
    LAMINA_ASSIGN(stored, lowers_.of(source.lower).xattr_names(source.lower.reference));
  }
  std::string names;
  sys::for_each_name(stored, [&](std::string_view name) {
    const auto seen = marks_.to_user(name);
    if (!seen || (options_.hide_trusted && seen->starts_with(trusted_prefix))) return;
    names += *seen;
    names += '\0';
  });
  return names;
}

Status Overlay::set_xattr(NodeId node, std::string_view name, std::span<const std::byte> value, int flags,
                          Attempt* attempt) {
  TreeLock::Shared lock(tree_);
  LAMINA_ASSIGN(const InodeRef inode, get(node));
  LAMINA_TRY(allow_change(*inode));
  LAMINA_TRY(copy_up(inode, CopyUp::attributes, [] { return false; }));
  LAMINA_ASSIGN(const Location at, location(*inode));
  const std::string stored = marks_.to_disk(name);
  if (attempt != nullptr && (flags & XATTR_CREATE) != 0) {
    const auto present = sys::get_xattr(at.descriptor(), at.name, stored);
    if (present && !attempt->begun()) return Errno{EEXIST};
    if (!present && !present.failed_with(ENODATA)) return present.error();
    attempt->begin();
    flags &= ~XATTR_CREATE;  // what exists now is from an earlier attempt
  }
  LAMINA_TRY(sys::set_xattr(at.descriptor(), at.name, stored, value, flags));
  if (name == default_acl_name && inode->is_directory()) forget_inherited_attributes(*inode);
  return {};
}

Status Overlay::remove_xattr(NodeId node, std::string_view name, Attempt* attempt) {
  TreeLock::Shared lock(tree_);
  LAMINA_ASSIGN(const InodeRef inode, get(node));
  LAMINA_TRY(allow_change(*inode));
  const std::string stored = marks_.to_disk(name);
  // An empty access list removes the list, and is no error where there is none (posix_acl_xattr_set of the kernel).
  const bool is_list = name == access_acl_name || name == default_acl_name;
  const Source source = source_of(*inode);
  if (!source.upper) {
    if (!upper_) return Errno{EROFS};
    auto present = lowers_.of(source.lower).xattr(source.lower.reference, stored);
    if (is_list && present.failed_with(ENODATA)) return {};
    if (!present) return present.error();
  }
  LAMINA_TRY(copy_up(inode, CopyUp::attributes, [] { return false; }));
  LAMINA_ASSIGN(const Location at, location(*inode));
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
