#include "overlay/layers/stored_owner.h"

#include <sys/stat.h>

#include <charconv>
#include <cstdio>

#include "sys/xattrs.h"

namespace lamina::overlay {

namespace {

constexpr std::uint32_t most_major = 0xFFF, most_minor = 0xFFFFF;  // of the kernel's dev_t

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

// "char-5-1", "block-8-0", "pipe", "socket". False for a device without numbers, or with numbers that no device has.
bool take_type(std::string_view word, StoredOwner& owner) {
  if (word.starts_with("pipe")) owner.type = S_IFIFO;
  if (word.starts_with("socket")) owner.type = S_IFSOCK;
  const std::string_view device = word.starts_with("char") ? "char" : word.starts_with("block") ? "block" : "";
  if (device.empty()) return true;
  owner.type = device == "char" ? S_IFCHR : S_IFBLK;
  const char* const end = word.data() + word.size();
  const char* at = word.data() + device.size();
  for (std::uint32_t* const number : {&owner.rdev_major, &owner.rdev_minor}) {
    if (at == end || *at != '-') return false;
    const auto [after, code] = std::from_chars(at + 1, end, *number);
    if (code != std::errc()) return false;
    at = after;
  }
  return owner.rdev_major <= most_major && owner.rdev_minor <= most_minor;
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

// Nothing where none is stored. `mode`: of the inode.
sys::Result<std::optional<StoredOwner>> stored_at(StoredOwners kind, int directory, std::string_view name,
                                                  std::uint32_t mode) {
  std::optional<StoredOwner> owner;
  if (kind == StoredOwners::in_inode || !may_store_owner(mode)) return owner;
  const auto value = read_stored(kind, directory, name);
  if (value.failed_with(ENODATA) || value.failed_with(EOPNOTSUPP)) return owner;
  if (!value) return value.error();
  owner = decode_stored_owner(stored_text(*value));
  if (!owner) return sys::Errno{EINVAL};
  return owner;
}

void apply(const StoredOwner& owner, Attributes& attributes) {
  attributes.uid = owner.uid;
  attributes.gid = owner.gid;
  attributes.mode = (attributes.mode & S_IFMT) | owner.mode;
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
  if (!take_number(text, 8, owner.mode) || !take_type(text, owner)) return std::nullopt;
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
  LAMINA_ASSIGN(const auto owner, stored_at(kind, directory, name, attributes.mode));
  if (owner) apply(*owner, attributes);
  return {};
}

sys::Status apply_stored_file(StoredOwners kind, int directory, std::string_view name, Attributes& attributes) {
  LAMINA_ASSIGN(const auto owner, stored_at(kind, directory, name, attributes.mode));
  if (!owner) return {};
  apply(*owner, attributes);
  if (owner->type == 0 || !S_ISREG(attributes.mode)) return {};
  attributes.mode = owner->type | owner->mode;
  attributes.rdev_major = owner->rdev_major;
  attributes.rdev_minor = owner->rdev_minor;
  attributes.size = attributes.blocks = 0;
  return {};
}

}  // namespace lamina::overlay
