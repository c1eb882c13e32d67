#include "daemon/owner_options.h"

#include <fcntl.h>

#include <charconv>
#include <optional>

#include "sys/data.h"
#include "sys/open.h"

namespace lamina::daemon {

namespace {

using overlay::IdMap;
using overlay::IdRange;

constexpr std::uint32_t no_id = 0xFFFFFFFF;  // (uid_t)-1 is nobody's

std::optional<std::uint32_t> number_of(std::string_view text) {
  std::uint32_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [after, code] = std::from_chars(text.data(), end, number);
  return code == std::errc() && after == end ? std::optional(number) : std::nullopt;
}

// The number in a file such as /proc/sys/kernel/overflowuid; the kernel's default where it cannot be read.
std::uint32_t overflow_id(const char* path) {
  constexpr std::uint32_t usual = 65534;
  const auto file = sys::open_path(path, O_RDONLY);
  if (!file) return usual;
  const auto text = sys::read_whole(file->get(), 64);
  if (!text) return usual;
  const std::string_view line = *text;
  return number_of(line.substr(0, line.find('\n'))).value_or(usual);
}

std::string problem_of(const IdRange& range) {
  if (range.length == 0) return "a range of no ids";
  const std::uint32_t room = no_id - range.length;
  if (range.disk > room || range.mount > room) return "a range beyond the last id, 4294967294";
  return {};
}

void take_map(const std::string& value, const char* overflow, IdMap& into, std::string& problem) {
  into = IdMap(parse_id_ranges(value, problem), overflow_id(overflow));
}

void take_id(const std::string& value, std::optional<std::uint32_t>& into, std::string& problem) {
  into = number_of(value);
  if (!into || *into == no_id) problem = "say a number from 0 to 4294967294";
}

void take_stored(const std::string& value, overlay::StoredOwners& into, std::string& problem) {
  using overlay::StoredOwners;
  if (value == "0") {
    into = StoredOwners::in_inode;
  } else if (value == "1" || value == "2") {
    into = value == "1" ? StoredOwners::privileged : StoredOwners::user;
  } else {
    problem = "say 0 (owners in the inodes), 1 (in security.fuseoverlayfs.*) or 2 (in user.fuseoverlayfs.*)";
  }
}

}  // namespace

std::vector<IdRange> parse_id_ranges(std::string_view text, std::string& error) {
  std::vector<std::uint32_t> numbers;
  while (!text.empty()) {
    const std::string_view item = text.substr(0, text.find(':'));
    text.remove_prefix(item.size() < text.size() ? item.size() + 1 : text.size());
    if (item.empty()) continue;
    const auto number = number_of(item);
    if (!number) {
      error = "\"" + std::string(item) + "\" is not an id";
      return {};
    }
    numbers.push_back(*number);
  }
  std::vector<IdRange> ranges;
  if (numbers.size() % 3 != 0) error = std::to_string(numbers.size()) + " numbers";
  for (std::size_t i = 0; error.empty() && i < numbers.size(); i += 3) {
    ranges.push_back({numbers[i], numbers[i + 1], numbers[i + 2]});
    error = problem_of(ranges.back());
  }
  return error.empty() ? ranges : std::vector<IdRange>();
}

bool take_owner_option(const std::string& name, const std::string& value, overlay::Options& options,
                       std::string& error) {
  overlay::OwnerView& owners = options.owners;
  std::string problem;
  const char* form = "";
  if (name == "uidmapping" || name == "gidmapping") {
    const bool users = name == "uidmapping";
    take_map(value, users ? "/proc/sys/kernel/overflowuid" : "/proc/sys/kernel/overflowgid",
             users ? owners.uids : owners.gids, problem);
    form = "; say ON_DISK:SHOWN:LENGTH, and further ranges after a colon";
  } else if (name == "squash_to_uid") {
    take_id(value, owners.every_uid, problem);
  } else if (name == "squash_to_gid") {
    take_id(value, owners.every_gid, problem);
  } else if (name == "squash_to_root") {
    if (!value.empty()) problem = "it takes no value";
    if (!owners.every_uid) owners.every_uid = 0;
    if (!owners.every_gid) owners.every_gid = 0;
  } else if (name == "xattr_permissions") {
    take_stored(value, options.stored_owners, problem);
  } else {
    return false;
  }
  if (!problem.empty() && error.empty()) error = "option " + name + "=" + value + ": " + problem + form;
  return true;
}

bool FurtherRanges::take(const std::string& text, overlay::Options& options, std::string& error) {
  if (mapping_.empty() || text.find_first_not_of("0123456789:") != std::string::npos) return false;
  ranges_ += ':' + text;
  return take_owner_option(mapping_, ranges_, options, error);
}

void FurtherRanges::follow(const std::string& name, const std::string& value) {
  mapping_ = name == "uidmapping" || name == "gidmapping" ? name : "";
  ranges_ = value;
}

}  // namespace lamina::daemon
