// The index of a sealed layer: any bytes, and those of a small tree with some numbers changed. Every answer must match
// the bytes, from within their section, and every chain of entries must end.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "fuzz/index_image.h"
#include "fuzz/input.h"
#include "overlay/layers/index_file.h"
#include "overlay/layers/layer.h"
#include "overlay/layers/marks.h"
#include "overlay/layers/xxh64.h"

namespace {

namespace overlay = lamina::overlay;
using lamina::fuzz::Input;
using lamina::fuzz::require;
using overlay::IndexEntry;
using overlay::IndexFile;
using overlay::IndexHeader;

// A file in memory, and an empty directory to be the layer's tree.
class Place {
 public:
  Place() : tree_((std::filesystem::temp_directory_path() / "lamina-fuzz-XXXXXX").string()) {
    require(::mkdtemp(tree_.data()) != nullptr);
    file_ = ::memfd_create("index", MFD_CLOEXEC);
    require(file_ >= 0);
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  ~Place() {
    ::close(file_);
    ::rmdir(tree_.c_str());
  }
  // Where `bytes` can be opened until the next call.
  [[nodiscard]] std::string hold(const std::string& bytes) const {
    require(::ftruncate(file_, 0) == 0);
    require(::pwrite(file_, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
    return "/proc/self/fd/" + std::to_string(file_);
  }
  [[nodiscard]] const std::string& tree() const { return tree_; }

 private:
  std::string tree_;
  int file_ = -1;
};

// The content of an accepted index, read by a second implementation.
class Bytes {
 public:
  explicit Bytes(const std::string& bytes) : bytes_(bytes) {
    require(bytes.size() >= sizeof header);
    std::memcpy(&header, bytes.data(), sizeof header);
  }
  [[nodiscard]] IndexEntry entry(std::uint32_t number) const {
    IndexEntry entry;
    std::memcpy(&entry, bytes_.substr(header.entries_offset).data() + number * sizeof entry, sizeof entry);
    return entry;
  }
  // Empty where it is not within its section.
  [[nodiscard]] std::optional<std::string> string(std::uint64_t offset, std::uint64_t length) const {
    if (offset + length > header.strings_length) return std::nullopt;
    return bytes_.substr(header.strings_offset + offset, length);
  }
  [[nodiscard]] std::optional<std::string> name(std::uint32_t number) const {
    return string(entry(number).name_offset, entry(number).name_length);
  }

  IndexHeader header;

 private:
  const std::string& bytes_;
};

void check_names(const IndexFile& index, const Bytes& bytes, std::uint32_t number) {
  const auto entry = index.entry(number);
  const IndexEntry expected = bytes.entry(number);
  require(entry.ok() && std::memcmp(&*entry, &expected, sizeof expected) == 0);
  const auto name = index.name(*entry);
  require(name.ok() == bytes.name(number).has_value() && (!name.ok() || *name == *bytes.name(number)));
  const auto target = index.link_target(*entry);
  const auto text = bytes.string(expected.first_child, expected.children);
  require(target.ok() == (S_ISLNK(expected.mode) && text.has_value()) && (!target.ok() || *target == *text));
}

// Terminates, and every component is valid in a path.
void check_path(const IndexFile& index, std::uint32_t number) {
  const auto path = index.path(number);
  if (!path.ok() || number == 0) return;
  std::string_view rest = *path;
  while (true) {
    const std::size_t slash = rest.find('/');
    require(overlay::is_possible_name(rest.substr(0, slash)));
    if (slash == std::string_view::npos) return;
    rest.remove_prefix(slash + 1);
  }
}

// Whether the children of `directory` are as a writer leaves them.
bool in_order(const Bytes& bytes, std::uint32_t directory, IndexFile::Range range) {
  for (std::uint32_t number = range.first; number < range.first + range.count; ++number) {
    const auto name = bytes.name(number);
    const IndexEntry entry = bytes.entry(number);
    if (!name || entry.parent != directory || entry.name_hash != overlay::xxh64(*name)) return false;
    if (number == range.first) continue;
    const IndexEntry before = bytes.entry(number - 1);
    const bool after =
        before.name_hash != entry.name_hash ? before.name_hash < entry.name_hash : *bytes.name(number - 1) < *name;
    if (!after) return false;
  }
  return true;
}

void check_children(const IndexFile& index, const Bytes& bytes, std::uint32_t directory) {
  const auto range = index.children(directory);
  static_cast<void>(index.find(directory, "none of them"));
  if (!range.ok() || range->count == 0) return;
  require(range->first > directory && range->first < index.count() && range->count <= index.count() - range->first);
  const bool sorted = in_order(bytes, directory, *range);
  for (std::uint32_t number = range->first; number < range->first + range->count; ++number) {
    const auto name = bytes.name(number);
    if (!name) continue;
    const auto found = index.find(directory, *name);
    require(!sorted || (found.ok() && *found == number));
    if (found.ok()) require(bytes.entry(*found).parent == directory && *bytes.name(*found) == *name);
  }
}

void check_attributes(const IndexFile& index, const Bytes& bytes, std::uint32_t number) {
  const IndexEntry entry = bytes.entry(number);
  const auto names = index.xattr_names(entry);
  if (!names.ok()) return;
  require(names->empty() || names->back() == '\0');
  std::size_t total = 0;
  std::string_view rest = *names;
  for (std::size_t end = rest.find('\0'); end != std::string_view::npos; end = rest.find('\0')) {
    require(end > 0);
    const auto value = index.xattr(entry, rest.substr(0, end));
    require(value.ok() || value.failed_with(ENODATA));
    if (value.ok()) total += value->size();
    rest.remove_prefix(end + 1);
  }
  require(total <= bytes.header.xattrs_length * names->size());
}

void check_group(const IndexFile& index, const Bytes& bytes, std::uint32_t number) {
  const auto first = index.first_name(number, bytes.entry(number));
  require(!first.ok() || *first < index.count());
  const auto group = index.group(number);
  if (group.ok()) {
    require(std::find(group->begin(), group->end(), number) != group->end());
    require(std::adjacent_find(group->begin(), group->end(), std::greater_equal<>()) == group->end());
    for (const std::uint32_t each : *group) require(bytes.entry(each).group == bytes.entry(number).group);
  }
  const auto below = index.group_members_below(number);
  if (!below.ok()) return;
  for (std::uint32_t each : *below) {
    require(each < index.count());
    while (each > number) each = bytes.entry(each).parent;
    require(each == number);
  }
}

void check_layer(const overlay::Layer& layer, const overlay::LowerRef& at) {
  const auto children = layer.list(at);
  if (children.ok()) {
    const auto disordered = [](const auto& left, const auto& right) {
      return overlay::listing_order(right.entry, left.entry);
    };
    require(std::is_sorted(children->begin(), children->end(), [](const auto& left, const auto& right) {
      return overlay::listing_order(left.entry, right.entry);
    }));
    require(std::adjacent_find(children->begin(), children->end(), disordered) == children->end());
    for (const auto& child : *children) {
      require(overlay::is_possible_name(child.entry.name));
      static_cast<void>(layer.lookup(at, child.entry.name));
    }
  }
  static_cast<void>(layer.get(at));
  static_cast<void>(layer.read_link(at));
  static_cast<void>(layer.identity(at));
  const auto group = layer.link_group(at);
  if (group.ok()) require(!group->empty());
  const auto links = layer.links_below(at);
  for (const std::string& each : links.ok() ? *links : std::vector<std::string>())
    require(!each.empty() && each[0] != '/');
  const auto names = layer.xattr_names(at);
  if (names.ok() && !names->empty()) static_cast<void>(layer.xattr(at, names->c_str()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Place place;
  Input input(data, size);
  const bool raw = input.byte() % 8 == 0;
  const std::string bytes = raw ? std::string(input.rest()) : lamina::fuzz::make_index_image(input);
  const std::string path = place.hold(bytes);
  std::string explanation;
  const auto index = IndexFile::open(path, explanation);
  require(index.ok() == explanation.empty());
  if (!index.ok()) return 0;
  const Bytes expected(bytes);
  static_cast<void>((*index)->fingerprint());
  static_cast<void>((*index)->verify());
  require((*index)->entry((*index)->count()).failed_with(EIO));
  for (std::uint32_t number = 0; number < (*index)->count(); ++number) {
    check_names(**index, expected, number);
    check_path(**index, number);
    check_children(**index, expected, number);
    check_attributes(**index, expected, number);
    check_group(**index, expected, number);
  }
  const auto layer = overlay::Layer::open({place.tree(), path}, 1, false, explanation);
  require(layer.ok());
  for (std::uint32_t number = 0; number < (*index)->count(); ++number) check_layer(**layer, {nullptr, number});
  const auto redirects = (*layer)->redirects();
  if (!redirects.ok()) return 0;
  for (const auto& each : *redirects) require(overlay::valid_redirect(each.value));
  return 0;
}
