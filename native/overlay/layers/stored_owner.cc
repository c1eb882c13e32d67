#include "overlay/layers/stored_owner.h"

#include <sys/stat.h>

#include <charconv>
#include <cstdio>

#include "sys/xattrs.h"

namespace lamina::overlay {

namespace {

std::string_view stored_text(const std::vector<std::byte>& value) {
  return {reinterpret_cast<const char*>(value.data()), value.size()};
}

// Takes a number and the colon after it from the front. fuse-overlayfs writes an id that was not given as -1.
bool take_number(std::string_view& text, int base, std::uint32_t& number) {
  std::int64_t value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (code != std::errc() || value < -1 || value > std::int64_t{0xFFFFFFFF}) return false;
  number = static_cast<std::uint32_t>(value);
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (text.empty()) return true;
  if (text.front() != ':') return false;
  text.remove_prefix(1);
  return true;
}

// ENODATA where there is none.
sys::Result<std::vector<std::byte>> read_stored(StoredOwners kind, int directory, std::string_view name) {
  auto value = sys::get_xattr(directory, name, stored_owner_name(kind));
  // containers-storage writes its own form, whatever option it gives.
  if (value.failed_with(ENODATA) && kind == StoredOwners::user) {
    return sys::get_xattr(directory, name, stored_owner_name(StoredOwners::containers));
  }
  return value;
}

}  // namespace

std::string encode(const StoredOwner& owner) {
  std::string text = std::to_string(owner.uid) + ':' + std::to_string(owner.gid) + ':';
  char mode[16];
  const auto [end, code] = std::to_chars(mode, mode + sizeof mode, owner.mode & stored_mode_bits, 8);
  return code == std::errc() ? text.append(mode, end) : text;
}

std::optional<StoredOwner> decode_stored_owner(std::string_view text) {
  StoredOwner owner;
  if (!take_number(text, 10, owner.uid) || text.empty()) return std::nullopt;
  if (!take_number(text, 10, owner.gid) || text.empty()) return std::nullopt;
  if (!take_number(text, 8, owner.mode)) return std::nullopt;
  owner.mode &= stored_mode_bits;
  return owner;
}

std::string_view stored_owner_name(StoredOwners kind) {
  switch (kind) {
    case StoredOwners::privileged:
      return "security.fuseoverlayfs.override_stat";
    case StoredOwners::user:
      return "user.fuseoverlayfs.override_stat";
    case StoredOwners::containers:
      return "user.containers.override_stat";
    case StoredOwners::in_inode:
      break;
  }
  return {};
}

sys::Result<StoredOwners> stored_owners_of(int descriptor) {
  for (const StoredOwners kind : {StoredOwners::privileged, StoredOwners::user, StoredOwners::containers}) {
    const auto value = sys::get_xattr(descriptor, "", stored_owner_name(kind));
    if (value.ok()) return kind;
    if (!value.failed_with(ENODATA) && !value.failed_with(EOPNOTSUPP)) return value.error();
  }
  return StoredOwners::in_inode;
}

bool may_store_owner(std::uint32_t mode) { return S_ISREG(mode) || S_ISDIR(mode); }

sys::Status apply_stored_owner(StoredOwners kind, int directory, std::string_view name, Attributes& attributes) {
  if (kind == StoredOwners::in_inode || !may_store_owner(attributes.mode)) return {};
  const auto value = read_stored(kind, directory, name);
  if (value.failed_with(ENODATA) || value.failed_with(EOPNOTSUPP)) return {};
  if (!value) return value.error();
  const auto owner = decode_stored_owner(stored_text(*value));
  if (!owner) return sys::Errno{EINVAL};
  attributes.uid = owner->uid;
  attributes.gid = owner->gid;
  attributes.mode = (attributes.mode & S_IFMT) | owner->mode;
  return {};
}

}  // namespace lamina::overlay
