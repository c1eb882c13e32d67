#include "overlay/upper/upper_owners.h"

#include <sys/stat.h>

#include <cstring>

#include "overlay/layers/attributes.h"
#include "overlay/upper/acl.h"
#include "sys/names.h"
#include "sys/xattrs.h"

namespace lamina::overlay {

namespace {

// The driver's own access, and everybody's to read, as fuse-overlayfs leaves it: the mode that counts is the stored
// one.
constexpr std::uint32_t always_allowed = 0755;

}  // namespace

sys::Result<StoredOwners> UpperOwners::settle(int descriptor, StoredOwners wanted, std::string& explanation) {
  const auto refuse = [&](sys::Errno error) {
    explanation = "the attribute " + std::string(stored_owner_name(wanted)) +
                  " of the upper, in which xattr_permissions keeps owners: " + std::strerror(error.value);
    return error;
  };
  if (wanted == StoredOwners::in_inode) return stored_owners_of(descriptor);
  const auto present = sys::get_xattr(descriptor, "", stored_owner_name(wanted));
  if (present.ok()) return wanted;
  if (!present.failed_with(ENODATA)) return refuse(present.error());
  const UpperOwners owners(wanted, false);
  const auto root = owners.attributes({descriptor, {}});
  if (!root) return refuse(root.error());
  const sys::Status noted = owners.store({descriptor, {}}, *root);
  if (!noted) return refuse(noted.error());
  return wanted;
}

sys::Result<Attributes> UpperOwners::attributes(const UpperPlace& place, const sys::FileStatus& status) const {
  Attributes attributes = to_attributes(status);
  LAMINA_TRY(apply_stored_owner(kind_, place.directory, place.name, attributes));
  return attributes;
}

sys::Result<Attributes> UpperOwners::attributes(const UpperPlace& place) const {
  LAMINA_ASSIGN(const sys::FileStatus status, sys::status_at(place.directory, place.name));
  return attributes(place, status);
}

sys::Status UpperOwners::store(const UpperPlace& place, const Attributes& attributes) const {
  const StoredOwner owner{attributes.uid, attributes.gid, attributes.mode & stored_mode_bits};
  return sys::set_xattr(place.directory, place.name, stored_owner_name(kind_), sys::as_value(encode(owner)));
}

sys::Status UpperOwners::set_owner(const UpperPlace& place, std::uint32_t uid, std::uint32_t gid) const {
  if (in_inodes()) {
    const sys::Status changed = sys::change_owner(place.directory, place.name, uid, gid);
    return squashes_ && (changed.failed_with(EPERM) || changed.failed_with(EINVAL)) ? sys::Status() : changed;
  }
  LAMINA_ASSIGN(Attributes present, attributes(place));
  if (!may_store_owner(present.mode)) return {};
  if (uid != sys::keep_id) present.uid = uid;
  if (gid != sys::keep_id) present.gid = gid;
  return store(place, present);
}

sys::Status UpperOwners::set_mode(const UpperPlace& place, std::uint32_t mode) const {
  if (in_inodes()) return sys::change_mode(place.directory, place.name, mode & stored_mode_bits);
  LAMINA_ASSIGN(const sys::FileStatus status, sys::status_at(place.directory, place.name));
  LAMINA_ASSIGN(Attributes present, attributes(place, status));
  if (!may_store_owner(present.mode)) {
    return sys::change_mode(place.directory, place.name, mode & stored_mode_bits);
  }
  const std::uint32_t on_disk = (status.mode & 0777U) | always_allowed;
  const auto list = sys::get_xattr(place.directory, place.name, access_acl_name);
  if (!list && !list.failed_with(ENODATA) && !list.failed_with(EOPNOTSUPP)) return list.error();
  if (on_disk != (status.mode & stored_mode_bits)) LAMINA_TRY(sys::change_mode(place.directory, place.name, on_disk));
  // chmod(2) has given the list the bits on disk.
  if (list) {
    LAMINA_ASSIGN(const Acl present_list, Acl::parse(*list));
    const auto changed = present_list.with_mode(mode).serialize();
    LAMINA_TRY(sys::set_xattr(place.directory, place.name, access_acl_name, changed));
  }
  present.mode = (present.mode & S_IFMT) | (mode & stored_mode_bits);
  return store(place, present);
}

}  // namespace lamina::overlay
