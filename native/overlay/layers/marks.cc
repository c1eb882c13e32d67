#include "overlay/layers/marks.h"

#include <sys/stat.h>

#include "sys/xattrs.h"

namespace lamina::overlay {

namespace {

constexpr std::string_view escape = "overlay.";

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
  LAMINA_ASSIGN(const auto opaque, read_optional(read, names.opaque));
  marks.opaque = opaque && text_of(*opaque) == opaque_value;
  LAMINA_TRY(read_protection(names, read, marks));
  return read_redirect(names, read, marks);
}

Status read_file_marks(const MarkNames& names, const sys::FileStatus& status, const AttributeReader& read,
                       Marks& marks) {
  if (status.size == 0) {
    LAMINA_ASSIGN(const auto whiteout, read_optional(read, names.whiteout));
    marks.whiteout = whiteout.has_value();
    if (marks.whiteout) return {};
  }
  LAMINA_TRY(read_protection(names, read, marks));
  LAMINA_ASSIGN(const auto metacopy, read_optional(read, names.metacopy));
  if (!metacopy) return {};
  if (!valid_metacopy(text_of(*metacopy))) return sys::Errno{EIO};
  marks.metacopy = true;
  return read_redirect(names, read, marks);
}

}  // namespace

MarkNames::MarkNames(bool user_xattr) : prefix_(user_xattr ? "user.overlay." : "trusted.overlay.") {
  opaque = prefix_ + "opaque";
  redirect = prefix_ + "redirect";
  metacopy = prefix_ + "metacopy";
  origin = prefix_ + "origin";
  impure = prefix_ + "impure";
  nlink = prefix_ + "nlink";
  whiteout = prefix_ + "whiteout";
  protattr = prefix_ + "protattr";
  lamina_ino = prefix_ + "lamina.ino";
  lamina_capability = prefix_ + "lamina.capability";
  lamina_mount = prefix_ + "lamina.mount";
}

bool MarkNames::is_private(std::string_view attribute) const {
  return attribute.starts_with(prefix_) && !is_escaped(attribute);
}

bool MarkNames::is_escaped(std::string_view attribute) const {
  return attribute.starts_with(prefix_) && attribute.substr(prefix_.size()).starts_with(escape);
}

std::string MarkNames::to_disk(std::string_view attribute) const {
  if (!attribute.starts_with(prefix_)) return std::string(attribute);
  std::string name(prefix_);
  name += escape;
  name += attribute.substr(prefix_.size());
  return name;
}

std::optional<std::string> MarkNames::to_user(std::string_view attribute) const {
  if (is_private(attribute)) return std::nullopt;
  if (!is_escaped(attribute)) return std::string(attribute);
  return prefix_ + std::string(attribute.substr(prefix_.size() + escape.size()));
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
  sys::for_each_name(list, [&](std::string_view attribute) { any = any || attribute.starts_with(names.prefix()); });
  if (!any) return marks;
  return read_marks(names, status,
                    [&](std::string_view attribute) { return sys::get_xattr(directory, name, attribute); });
}

Result<bool> holds_xattr_whiteouts(const MarkNames& names, const AttributeReader& read) {
  LAMINA_ASSIGN(const auto value, read_optional(read, names.opaque));
  return value && text_of(*value) == xattr_whiteouts_value;
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
