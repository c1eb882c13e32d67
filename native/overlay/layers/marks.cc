#include "overlay/layers/marks.h"

#include <sys/stat.h>

#include <algorithm>
#include <iterator>

#include "sys/xattrs.h"

namespace lamina::overlay {

namespace {

constexpr std::string_view escape = "overlay.";
constexpr std::string_view trusted_prefix = "trusted.overlay.", user_prefix = "user.overlay.";
constexpr std::string_view fuse_overlayfs_prefix = "user.fuseoverlayfs.";
// Owners and modes that count instead of the inode's, see stored_owner.h.
constexpr std::string_view other_notes[] = {fuse_overlayfs_prefix, "security.fuseoverlayfs.",
                                            "user.containers.override_"};

std::string_view text_of(const std::vector<std::byte>& value) {
  return {reinterpret_cast<const char*>(value.data()), value.size()};
}

// The value, or nothing where the attribute or all attributes are absent.
Result<std::optional<std::vector<std::byte>>> read_optional(const AttributeReader& read, std::string_view attribute) {
  auto value = read(attribute);
  if (value.failed_with(ENODATA) || value.failed_with(EOPNOTSUPP)) return std::optional<std::vector<std::byte>>();
  if (!value.ok()) return value.error();
  return std::optional(std::move(*value));
}

// struct ovl_metacopy of the kernel's fs/overlayfs/overlayfs.h: u8 version, length, flags, digest algorithm, then a
// digest. Empty is the older form.
bool valid_metacopy(std::string_view value) {
  constexpr std::size_t header = 4;
  if (value.empty()) return true;
  if (value.size() < header) return false;
  return value[0] == 0 && static_cast<unsigned char>(value[1]) == value.size() && value[2] == 0;
}

Status read_redirect(const MarkNames& names, const AttributeReader& read, Marks& marks) {
  LAMINA_ASSIGN(const auto redirect, read_optional(read, names.redirect));
  if (!redirect) return {};
  if (!valid_redirect(text_of(*redirect))) return sys::Errno{EIO};
  marks.redirect = text_of(*redirect);
  return {};
}

Status read_protection(const MarkNames& names, const AttributeReader& read, Marks& marks) {
  LAMINA_ASSIGN(const auto value, read_optional(read, names.protattr));
  if (value) marks.protection = decode_protection(text_of(*value));
  return {};
}

Status read_directory_marks(const MarkNames& names, const AttributeReader& read, Marks& marks) {
  for (const std::string& name : names.all_opaque()) {
    LAMINA_ASSIGN(const auto opaque, read_optional(read, name));
    marks.opaque = marks.opaque || (opaque && text_of(*opaque) == opaque_value);
  }
  LAMINA_TRY(read_protection(names, read, marks));
  return read_redirect(names, read, marks);
}

Status read_file_marks(const MarkNames& names, const sys::FileStatus& status, const AttributeReader& read,
                       Marks& marks) {
  if (status.size == 0) {
    LAMINA_ASSIGN(const auto whiteout, read_optional(read, names.whiteout));
    marks.whiteout = whiteout.has_value();
    if (marks.whiteout) return {};
    LAMINA_ASSIGN(const auto escaped, read_optional(read, names.escaped_whiteout));
    marks.escaped_whiteout = escaped.has_value();
  }
  LAMINA_TRY(read_protection(names, read, marks));
  LAMINA_ASSIGN(const auto metacopy, read_optional(read, names.metacopy));
  if (!metacopy) return {};
  if (!valid_metacopy(text_of(*metacopy))) return sys::Errno{EIO};
  marks.metacopy = true;
  return read_redirect(names, read, marks);
}

}  // namespace

MarkNames::MarkNames(bool user_xattr, ForeignMarks foreign) : foreign_(foreign == ForeignMarks::obeyed) {
  const std::string prefix(user_xattr ? user_prefix : trusted_prefix);
  opaque = prefix + "opaque";
  redirect = prefix + "redirect";
  metacopy = prefix + "metacopy";
  origin = prefix + "origin";
  impure = prefix + "impure";
  nlink = prefix + "nlink";
  whiteout = prefix + "whiteout";
  protattr = prefix + "protattr";
  escaped_whiteout = prefix + std::string(escape) + "whiteout";
  lamina_ino = prefix + "lamina.ino";
  lamina_capability = prefix + "lamina.capability";
  lamina_mount = prefix + "lamina.mount";
  lamina_whiteouts = prefix + "lamina.whiteouts";
  prefixes_ = {prefix};
  all_opaque_ = {opaque};
  if (!foreign_) return;
  if (!user_xattr) {
    prefixes_.emplace_back(user_prefix);
    all_opaque_.push_back(std::string(user_prefix) + "opaque");
  }
  all_opaque_.push_back(std::string(fuse_overlayfs_prefix) + "opaque");
}

std::size_t MarkNames::prefix_of(std::string_view attribute) const {
  for (const std::string& prefix : prefixes_) {
    if (attribute.starts_with(prefix)) return prefix.size();
  }
  return 0;
}

bool MarkNames::may_be_mark(std::string_view attribute) const {
  return prefix_of(attribute) != 0 || is_reserved(attribute);
}

bool MarkNames::is_reserved(std::string_view attribute) const {
  return foreign_ && std::any_of(std::begin(other_notes), std::end(other_notes),
                                 [&](std::string_view note) { return attribute.starts_with(note); });
}

bool MarkNames::is_private(std::string_view attribute) const {
  return may_be_mark(attribute) && !is_escaped(attribute);
}

bool MarkNames::is_escaped(std::string_view attribute) const {
  const std::size_t prefix = prefix_of(attribute);
  return prefix != 0 && attribute.substr(prefix).starts_with(escape);
}

std::string MarkNames::to_disk(std::string_view attribute) const {
  std::string name(attribute);
  if (const std::size_t prefix = prefix_of(attribute); prefix != 0) name.insert(prefix, escape);
  return name;
}

std::optional<std::string> MarkNames::to_user(std::string_view attribute) const {
  if (is_private(attribute)) return std::nullopt;
  std::string name(attribute);
  if (is_escaped(attribute)) name.erase(prefix_of(attribute), escape.size());
  return name;
}

bool valid_redirect(std::string_view redirect) {
  const bool absolute = redirect.starts_with('/');
  if (absolute) redirect.remove_prefix(1);
  while (true) {
    const std::size_t end = redirect.find('/');
    const std::string_view component = redirect.substr(0, end);
    if (component.empty() || component == "." || component == ".." || component.find('\0') != std::string_view::npos)
      return false;
    if (end == std::string_view::npos) return true;
    if (!absolute) return false;
    redirect.remove_prefix(end + 1);
  }
}

Result<Marks> read_marks(const MarkNames& names, const sys::FileStatus& status, const AttributeReader& read) {
  Marks marks;
  marks.whiteout = status.is_whiteout();
  if (status.is_directory()) LAMINA_TRY(read_directory_marks(names, read, marks));
  if (status.is_regular()) LAMINA_TRY(read_file_marks(names, status, read, marks));
  return marks;
}

Result<Marks> read_marks_at(const MarkNames& names, const sys::FileStatus& status, int directory,
                            std::string_view name) {
  Marks marks;
  marks.whiteout = status.is_whiteout();
  if (!status.is_directory() && !status.is_regular()) return marks;
  // Nearly every file has no marks at all: one call shows it.
  LAMINA_ASSIGN(const std::string list, sys::list_xattrs(directory, name));
  bool any = false;
  sys::for_each_name(list, [&](std::string_view attribute) { any = any || names.may_be_mark(attribute); });
  marks.none = !any;
  if (!any) return marks;
  return read_marks(names, status,
                    [&](std::string_view attribute) { return sys::get_xattr(directory, name, attribute); });
}

Result<bool> holds_xattr_whiteouts(const MarkNames& names, const AttributeReader& read) {
  LAMINA_ASSIGN(const auto value, read_optional(read, names.opaque));
  return value && text_of(*value) == xattr_whiteouts_value;
}

Result<bool> may_hold_escaped_whiteouts(const MarkNames& names, int descriptor) {
  const auto read = [&](std::string_view attribute) { return sys::get_xattr(descriptor, {}, attribute); };
  LAMINA_ASSIGN(const auto value, read_optional(read, names.lamina_whiteouts));
  return value.has_value();
}

std::array<std::byte, lower_number_size> encode(const LowerNumber& number) {
  std::array<std::byte, lower_number_size> value{};
  std::size_t at = 0;
  for (const std::uint64_t each : {number.ino, number.stack, number.own, number.upper}) {
    for (std::size_t i = 0; i < sizeof each; ++i) value[at++] = static_cast<std::byte>(each >> (8 * i));
  }
  return value;
}

std::optional<LowerNumber> decode_lower_number(std::span<const std::byte> value) {
  if (value.size() != lower_number_size && value.size() != older_lower_number_size) return std::nullopt;
  const auto number_at = [&](std::size_t at) {
    std::uint64_t number = 0;
    for (std::size_t i = sizeof number; i-- > 0;)
      number = (number << 8U) | std::to_integer<std::uint64_t>(value[at + i]);
    return number;
  };
  LowerNumber number{number_at(0), number_at(8), 0, 0};
  if (value.size() == older_lower_number_size) return number;
  number.own = number_at(16);
  number.upper = number_at(24);
  return number;
}

}  // namespace lamina::overlay
