// Owner and mode in an attribute beside a file: "UID:GID:MODE", the mode octal, as fuse-overlayfs (xattr_permissions)
// and containers-storage (force_mask) write it. A layer whose root has such an attribute has them throughout. Only
// regular files and directories do. Newer writers add a type, "UID:GID:MODE:char-MAJOR-MINOR": a regular file then
// stands for a device, FIFO or socket that could not be made.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "overlay/owners.h"
#include "overlay/types.h"
#include "sys/result.h"
#include "sys/status.h"

namespace lamina::overlay {

// Permissions with setuid, setgid and sticky.
inline constexpr std::uint32_t stored_mode_bits = 07777;

struct StoredOwner {
  std::uint32_t uid = 0, gid = 0;
  std::uint32_t mode = 0;  // of stored_mode_bits
  std::uint32_t type = 0;  // S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK; 0: that of the inode
  std::uint32_t rdev_major = 0, rdev_minor = 0;
  friend bool operator==(const StoredOwner&, const StoredOwner&) = default;
};

// Without a type: what a mount makes has its own.
std::string encode(const StoredOwner& owner);
// None where the text is of another form. Types that a file has itself, and unknown ones, are passed over.
std::optional<StoredOwner> decode_stored_owner(std::string_view text);

// The attribute's name; empty for in_inode.
std::string_view stored_owner_name(StoredOwners kind);

// How a layer keeps owners, by the attributes of its root at `descriptor`.
sys::Result<StoredOwners> stored_owners_of(int descriptor);
// Gives `attributes`, those of the inode, the owner and mode that are stored beside it; they stay where none is stored.
// EINVAL for an attribute of another form.
sys::Status apply_stored_owner(StoredOwners kind, int directory, std::string_view name, Attributes& attributes);
// The same in a lower, where a regular file may stand for something else.
sys::Status apply_stored_file(StoredOwners kind, int directory, std::string_view name, Attributes& attributes);
// Of a type that can have one.
[[nodiscard]] bool may_store_owner(std::uint32_t mode);

}  // namespace lamina::overlay
