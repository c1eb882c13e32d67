// The decoders of extended attributes: overlay marks on any kind of file, any name that a user gives an attribute,
// access lists, and the driver's own notes.
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <map>
#include <span>
#include <string>

#include "daemon/mount_record.h"
#include "fuzz/input.h"
#include "overlay/layers/marks.h"
#include "overlay/layers/protection.h"
#include "overlay/upper/acl.h"

namespace {

using lamina::fuzz::Input;
using lamina::fuzz::require;
using lamina::overlay::MarkNames;

void names(const MarkNames& marks, const std::string& user) {
  const std::string disk = marks.to_disk(user);
  if (marks.is_reserved(user)) return require(!marks.to_user(disk).has_value());
  require(!marks.is_private(disk));
  const auto back = marks.to_user(disk);
  require(back.has_value() && *back == user);
}

void attributes(const MarkNames& marks, Input& input) {
  std::vector<std::string> known = {marks.redirect, marks.metacopy, marks.origin,
                                    marks.whiteout, marks.protattr, marks.lamina_ino};
  known.insert(known.end(), marks.all_opaque().begin(), marks.all_opaque().end());
  constexpr std::array<std::uint32_t, 5> types = {S_IFREG, S_IFDIR, S_IFLNK, S_IFCHR, S_IFIFO};
  lamina::sys::FileStatus status;
  status.mode = types[input.byte() % types.size()] | 0644U;
  status.size = input.byte() % 3U;
  status.rdev_major = input.byte() % 2U;
  std::map<std::string, std::string, std::less<>> values;
  while (!input.empty()) {
    const std::string& name = known[input.byte() % known.size()];
    values[name] = input.bytes(input.byte());
  }
  using Bytes = std::vector<std::byte>;
  const auto read = [&](std::string_view name) -> lamina::sys::Result<Bytes> {
    const auto found = values.find(name);
    if (found == values.end()) return lamina::sys::Errno{ENODATA};
    const auto* start = reinterpret_cast<const std::byte*>(found->second.data());
    return Bytes(start, start + found->second.size());
  };
  const auto decoded = lamina::overlay::read_marks(marks, status, read);
  if (decoded.ok() && !decoded->redirect.empty()) require(lamina::overlay::valid_redirect(decoded->redirect));
  static_cast<void>(lamina::overlay::holds_xattr_whiteouts(marks, read));
}

// A followed path must not leave the layer.
void redirect(std::string_view text) {
  if (!lamina::overlay::valid_redirect(text)) return;
  require(!text.empty() && text.back() != '/');
  std::string_view rest = text.front() == '/' ? text.substr(1) : text;
  for (;;) {
    const std::size_t slash = rest.find('/');
    const std::string_view part = rest.substr(0, slash);
    require(!part.empty() && part != "." && part != "..");
    if (slash == std::string_view::npos) return;
    rest.remove_prefix(slash + 1);
  }
}

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

// A valid list is encoded again as decoded, with the same mode.
void access_list(Input& input) {
  const std::uint32_t mode = input.byte() | (std::uint32_t{input.byte()} << 8U);
  const std::string_view blob = input.rest();
  const auto list = lamina::overlay::Acl::parse(bytes_of(blob));
  const auto inherited = lamina::overlay::inherit(bytes_of(blob), S_IFDIR | (mode & 07777U), 022);
  require(list.ok() == inherited.ok());
  if (!list.ok()) return;
  const auto again = lamina::overlay::Acl::parse(list->serialize());
  require(again.ok() && again->entries() == list->entries() && list->serialize().size() == blob.size());
  if (list->empty()) return;
  require((list->mode() & ~0777U) == 0 && list->with_mode(mode).mode() == (mode & 0777U));
  require(list->masked_by(mode).mode() == (list->mode() & mode & 0777U));
  require((inherited->mode & 0777U & ~mode) == 0 && inherited->default_list == list->serialize());
}

void notes(std::string_view text) {
  const auto record = lamina::daemon::decode_mount_record(text);
  if (record) require(lamina::daemon::decode_mount_record(encode(*record)) == record);
  const auto number = lamina::overlay::decode_lower_number(bytes_of(text));
  if (number && text.size() == lamina::overlay::lower_number_size) {
    const auto again = encode(*number);
    require(std::equal(again.begin(), again.end(), bytes_of(text).begin()));
  }
  const auto protection = lamina::overlay::decode_protection(text);
  require(lamina::overlay::decode_protection(encode(protection)) == protection);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  const std::uint8_t choice = input.byte();
  using lamina::overlay::ForeignMarks;
  const MarkNames marks((choice & 1U) != 0, (choice & 2U) != 0 ? ForeignMarks::obeyed : ForeignMarks::ignored);
  switch ((choice >> 2U) % 5) {
    case 0:
      names(marks, std::string(input.rest()));
      break;
    case 1:
      redirect(input.rest());
      break;
    case 2:
      access_list(input);
      break;
    case 3:
      notes(input.rest());
      break;
    default:
      attributes(marks, input);
  }
  return 0;
}
