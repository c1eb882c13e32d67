#include "overlay/upper/acl.h"

#include <sys/stat.h>

namespace lamina::overlay {

namespace {

constexpr std::uint32_t version = 2;
constexpr std::size_t header_size = 4;
constexpr std::size_t entry_size = 8;
constexpr std::uint32_t no_id = 0xFFFFFFFFU;

enum Tag : std::uint16_t { user_obj = 1, user = 2, group_obj = 4, group = 8, mask = 16, other = 32 };

std::uint32_t read_number(std::span<const std::byte> blob, std::size_t at, std::size_t size) {
  std::uint32_t number = 0;
  for (std::size_t index = 0; index < size; ++index) {
    number |= std::to_integer<std::uint32_t>(blob[at + index]) << (8 * index);
  }
  return number;
}

void append_number(std::vector<std::byte>& out, std::uint32_t number, std::size_t size) {
  for (std::size_t index = 0; index < size; ++index) out.push_back(static_cast<std::byte>(number >> (8 * index)));
}

bool names_somebody(const AclEntry& entry) { return entry.tag == user || entry.tag == group; }

bool known_tag(std::uint16_t tag) {
  return tag == user_obj || tag == user || tag == group_obj || tag == group || tag == mask || tag == other;
}

// As posix_acl_valid(): in the order of the tags, each of the single ones at most once; ids need not be sorted.
bool valid(const std::vector<AclEntry>& entries) {
  std::uint32_t seen = 0;
  std::uint16_t last = 0;
  for (const AclEntry& entry : entries) {
    if (!known_tag(entry.tag) || entry.tag < last || entry.permissions > 7) return false;
    if (!names_somebody(entry) && (seen & entry.tag) != 0) return false;
    if (names_somebody(entry) && entry.id == no_id) return false;
    seen |= entry.tag;
    last = entry.tag;
  }
  constexpr std::uint32_t required = user_obj | group_obj | other;
  const bool needs_mask = (seen & (user | group)) != 0;
  return (seen & required) == required && (!needs_mask || (seen & mask) != 0);
}

bool has_mask(const std::vector<AclEntry>& entries) {
  for (const AclEntry& entry : entries) {
    if (entry.tag == mask) return true;
  }
  return false;
}

// Calls `change(entry, shift)` for the entries that stand for permission bits of the mode, which begin at `shift`.
template <typename Entries, typename Change>
void for_each_class(Entries& entries, Change change) {
  const bool masked = has_mask(entries);
  for (auto& entry : entries) {
    if (entry.tag == user_obj) change(entry, 6U);
    if (entry.tag == mask || (entry.tag == group_obj && !masked)) change(entry, 3U);
    if (entry.tag == other) change(entry, 0U);
  }
}

}  // namespace

sys::Result<Acl> Acl::parse(std::span<const std::byte> blob) {
  if (blob.size() < header_size) return sys::Errno{EINVAL};
  if (read_number(blob, 0, 4) != version) return sys::Errno{EOPNOTSUPP};
  if ((blob.size() - header_size) % entry_size != 0) return sys::Errno{EINVAL};
  Acl acl;
  for (std::size_t at = header_size; at < blob.size(); at += entry_size) {
    AclEntry entry;
    entry.tag = static_cast<std::uint16_t>(read_number(blob, at, 2));
    entry.permissions = static_cast<std::uint16_t>(read_number(blob, at + 2, 2));
    entry.id = names_somebody(entry) ? read_number(blob, at + 4, 4) : no_id;
    acl.entries_.push_back(entry);
  }
  if (!acl.empty() && !valid(acl.entries_)) return sys::Errno{EINVAL};
  return acl;
}

std::vector<std::byte> Acl::serialize() const {
  std::vector<std::byte> blob;
  blob.reserve(header_size + entries_.size() * entry_size);
  append_number(blob, version, 4);
  for (const AclEntry& entry : entries_) {
    append_number(blob, entry.tag, 2);
    append_number(blob, entry.permissions, 2);
    append_number(blob, entry.id, 4);
  }
  return blob;
}

std::uint32_t Acl::mode() const {
  std::uint32_t bits = 0;
  for_each_class(entries_,
                 [&](const AclEntry& entry, unsigned shift) { bits |= std::uint32_t{entry.permissions} << shift; });
  return bits;
}

bool Acl::equivalent_to_mode() const {
  for (const AclEntry& entry : entries_) {
    if (names_somebody(entry) || entry.tag == mask) return false;
  }
  return true;
}

Acl Acl::with_mode(std::uint32_t mode) const {
  Acl changed(*this);
  for_each_class(changed.entries_, [&](AclEntry& entry, unsigned shift) {
    entry.permissions = static_cast<std::uint16_t>((mode >> shift) & 7U);
  });
  return changed;
}

Acl Acl::masked_by(std::uint32_t mode) const {
  Acl changed(*this);
  for_each_class(changed.entries_, [&](AclEntry& entry, unsigned shift) {
    entry.permissions = static_cast<std::uint16_t>(entry.permissions & (mode >> shift) & 7U);
  });
  return changed;
}

sys::Result<Inherited> inherit(std::optional<std::span<const std::byte>> parent_default, std::uint32_t mode,
                               std::uint32_t umask) {
  constexpr std::uint32_t permission_bits = 0777;
  Inherited inherited;
  inherited.mode = mode;
  if (S_ISLNK(mode)) return inherited;
  Acl parent;
  if (parent_default) {
    LAMINA_ASSIGN(parent, Acl::parse(*parent_default));
  }
  if (parent.empty()) {
    inherited.mode = mode & ~(umask & permission_bits);
    return inherited;
  }
  const Acl access = parent.masked_by(mode);
  inherited.mode = (mode & ~permission_bits) | access.mode();
  if (!access.equivalent_to_mode()) inherited.access = access.serialize();
  if (S_ISDIR(mode)) inherited.default_list = parent.serialize();
  return inherited;
}

}  // namespace lamina::overlay
