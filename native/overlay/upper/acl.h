// POSIX access control lists as the xattrs system.posix_acl_access and system.posix_acl_default hold them (acl(5), the
// kernel's linux/posix_acl_xattr.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "sys/result.h"

namespace lamina::overlay {

inline constexpr std::string_view access_acl_name = "system.posix_acl_access";
inline constexpr std::string_view default_acl_name = "system.posix_acl_default";

struct AclEntry {
  std::uint16_t tag = 0;          // ACL_USER_OBJ 1, ACL_USER 2, ACL_GROUP_OBJ 4, ACL_GROUP 8, ACL_MASK 16, ACL_OTHER 32
  std::uint16_t permissions = 0;  // rwx: 4, 2, 1
  std::uint32_t id = 0xFFFFFFFF;  // of ACL_USER and ACL_GROUP
  friend bool operator==(const AclEntry&, const AclEntry&) = default;
};

// A valid list: sorted by tag, with exactly one owner, owning group and other, and a mask if it has named users or
// groups.
class Acl {
 public:
  // EOPNOTSUPP for another version, EINVAL for anything that is not a valid list. An empty list (version only) has no
  // entries.
  static sys::Result<Acl> parse(std::span<const std::byte> blob);

  [[nodiscard]] std::vector<std::byte> serialize() const;
  [[nodiscard]] bool empty() const { return entries_.empty(); }
  [[nodiscard]] const std::vector<AclEntry>& entries() const { return entries_; }
  // The permission bits that the list amounts to (the group bits are the mask's, where there is one).
  [[nodiscard]] std::uint32_t mode() const;
  // The list grants no more than the permission bits.
  [[nodiscard]] bool equivalent_to_mode() const;
  // The list after chmod(2) (posix_acl_chmod): owner, mask or group, and other as in `mode`.
  [[nodiscard]] Acl with_mode(std::uint32_t mode) const;
  // The access list of a new file with `mode` under a directory with this default list (posix_acl_create): what both
  // allow the owner, the mask or group, and others.
  [[nodiscard]] Acl masked_by(std::uint32_t mode) const;
  // The list with other users and groups: `translate(is_user, id)` gives the new id of a named one.
  template <typename Translate>
  [[nodiscard]] Acl with_ids(Translate translate) const {
    Acl changed(*this);
    for (AclEntry& entry : changed.entries_) {
      if (entry.tag == named_user || entry.tag == named_group) entry.id = translate(entry.tag == named_user, entry.id);
    }
    return changed;
  }

 private:
  static constexpr std::uint16_t named_user = 2, named_group = 8;

  std::vector<AclEntry> entries_;
};

// What a new file or directory inherits from its parent's default list.
struct Inherited {
  std::uint32_t mode = 0;                              // type and permission bits
  std::optional<std::vector<std::byte>> access;        // none: the mode suffices
  std::optional<std::vector<std::byte>> default_list;  // the default list of a new directory
};
// `parent_default`: the parent's default list, or none: then the umask applies. With one, it does not
// (posix_acl_create). Symlinks inherit nothing.
sys::Result<Inherited> inherit(std::optional<std::span<const std::byte>> parent_default, std::uint32_t mode,
                               std::uint32_t umask);

}  // namespace lamina::overlay
