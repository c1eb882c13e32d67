#include "overlay/layers/index_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <bit>
#include <climits>
#include <cstring>

#include "overlay/layers/xxh64.h"
#include "sys/open.h"
#include "sys/status.h"

namespace lamina::overlay {

static_assert(std::endian::native == std::endian::little, "the index is read in place");

namespace {

constexpr std::size_t group_size = 8;
constexpr std::size_t member_size = 4;
constexpr std::size_t hash_size = 32;

template <typename T>
T load(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}

// Why the header cannot be trusted, or "".
std::string header_problem(const IndexHeader& header, std::uint64_t size) {
  if (std::string_view(header.magic, sizeof(header.magic)) != index_magic) return "is not an index of a sealed layer";
  if (header.version < oldest_index_version || header.version > index_version) {
    return "has version " + std::to_string(header.version) + ", and this driver reads versions " +
           std::to_string(oldest_index_version) + " to " + std::to_string(index_version) +
           "; use the driver of the Lamina that wrote it";
  }
  if (header.header_size != index_header_size) return "is damaged: its header has a wrong size";
  if (header.file_size != size) {
    return "is damaged: " + std::to_string(header.file_size) + " bytes were written, " + std::to_string(size) +
           " are there";
  }
  const auto fits = [size](std::uint64_t offset, std::uint64_t length) {
    return offset % 8 == 0 && offset >= index_header_size && offset <= size && length <= size - offset;
  };
  if (header.entries == 0 || !fits(header.entries_offset, std::uint64_t{header.entries} * index_entry_size) ||
      !fits(header.groups_offset, std::uint64_t{header.groups} * group_size) ||
      !fits(header.members_offset, std::uint64_t{header.members} * member_size) ||
      !fits(header.strings_offset, header.strings_length) || !fits(header.xattrs_offset, header.xattrs_length) ||
      (header.version > 1 && (!fits(header.hashes_offset, std::uint64_t{header.hashes} * hash_size) ||
                              !fits(header.origin_offset, sizeof(std::uint64_t))))) {
    return "is damaged: a section lies outside of the file";
  }
  return {};
}

// A file of at least a header's size, mapped to read.
Result<const std::byte*> map_file(int descriptor, std::size_t size) {
  void* address = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, descriptor, 0);
  if (address == MAP_FAILED) return sys::last_error();
  return static_cast<const std::byte*>(address);
}

}  // namespace

bool is_possible_name(std::string_view name) {
  return !name.empty() && name.size() <= NAME_MAX && name != "." && name != ".." &&
         name.find('/') == std::string_view::npos && name.find('\0') == std::string_view::npos;
}

Result<std::unique_ptr<IndexFile>> IndexFile::open(const std::string& path, std::string& explanation) {
  const auto refuse = [&](const std::string& problem, int error) {
    explanation = "index " + path + " " + problem;
    return sys::Errno{error};
  };
  const auto descriptor = sys::open_path(path, O_RDONLY);
  if (!descriptor.ok())
    return refuse(std::string("cannot be opened: ") + std::strerror(descriptor.error().value),
                  descriptor.error().value);
  const auto status = sys::status_of(descriptor->get());
  if (!status.ok())
    return refuse(std::string("cannot be read: ") + std::strerror(status.error().value), status.error().value);
  if (!status->is_regular() || status->size < index_header_size)
    return refuse("is not an index of a sealed layer", EINVAL);
  const auto data = map_file(descriptor->get(), status->size);
  if (!data.ok())
    return refuse(std::string("cannot be mapped: ") + std::strerror(data.error().value), data.error().value);

  std::unique_ptr<IndexFile> index(new IndexFile(*data, status->size, load<IndexHeader>(*data)));
  const std::string problem = header_problem(index->header_, status->size);
  if (!problem.empty()) return refuse(problem, EINVAL);
  const auto root = index->entry(0);
  if (!root.ok() || !S_ISDIR(root->mode) || root->parent != 0 || root->name_length != 0) {
    return refuse("is damaged: its first entry is not a root directory", EINVAL);
  }
  return index;
}

IndexFile::~IndexFile() {
  ::munmap(const_cast<std::byte*>(data_), size_);
}  // NOLINT(cppcoreguidelines-pro-type-const-cast)

std::uint64_t IndexFile::fingerprint() const {
  const auto origin = header_.version > 1 ? load<std::uint64_t>(data_ + header_.origin_offset) : 0;
  return origin != 0 ? origin : header_.checksum;
}

Result<IndexEntry> IndexFile::entry(std::uint32_t number) const {
  if (number >= header_.entries) return sys::Errno{EIO};
  return load<IndexEntry>(data_ + header_.entries_offset + std::size_t{number} * index_entry_size);
}

Result<std::string_view> IndexFile::string(std::uint32_t offset, std::uint32_t length) const {
  if (offset > header_.strings_length || length > header_.strings_length - offset) return sys::Errno{EIO};
  const auto* begin = reinterpret_cast<const char*>(data_ + header_.strings_offset + offset);
  return std::string_view(begin, length);
}

Result<std::string_view> IndexFile::name(const IndexEntry& entry) const {
  return string(entry.name_offset, entry.name_length);
}

Result<std::string_view> IndexFile::link_target(const IndexEntry& entry) const {
  if (!S_ISLNK(entry.mode)) return sys::Errno{EINVAL};
  return string(entry.first_child, entry.children);
}

Result<IndexFile::Range> IndexFile::children(std::uint32_t directory) const {
  LAMINA_ASSIGN(const IndexEntry entry, this->entry(directory));
  if (!S_ISDIR(entry.mode)) return sys::Errno{ENOTDIR};
  if (entry.children == 0) return Range{};
  // Breadth-first: children come after their directory, so that no path has a cycle.
  if (entry.first_child <= directory || entry.first_child >= count() || entry.children > count() - entry.first_child) {
    return sys::Errno{EIO};
  }
  return Range{entry.first_child, entry.children};
}

Result<std::uint32_t> IndexFile::find(std::uint32_t directory, std::string_view name) const {
  LAMINA_ASSIGN(const Range range, children(directory));
  const std::uint64_t hash = xxh64(name);
  std::uint32_t low = range.first;
  std::uint32_t high = range.first + range.count;
  while (low < high) {
    const std::uint32_t middle = low + (high - low) / 2;
    LAMINA_ASSIGN(const IndexEntry candidate, entry(middle));
    LAMINA_ASSIGN(const std::string_view found, this->name(candidate));
    if (candidate.name_hash == hash && found == name) {
      return candidate.parent == directory ? Result<std::uint32_t>(middle) : sys::Errno{EIO};
    }
    const bool less = candidate.name_hash != hash ? candidate.name_hash < hash : found < name;
    (less ? low : high) = less ? middle + 1 : middle;
  }
  return sys::Errno{ENOENT};
}

Result<std::string> IndexFile::path(std::uint32_t number) const {
  std::vector<std::string_view> names;
  std::size_t length = 0;
  while (number != 0) {
    LAMINA_ASSIGN(const IndexEntry current, entry(number));
    LAMINA_ASSIGN(const std::string_view found, name(current));
    if (current.parent >= number || !is_possible_name(found)) return sys::Errno{EIO};
    names.push_back(found);
    length += found.size() + 1;
    number = current.parent;
  }
  std::string path;
  path.reserve(length);
  for (auto found = names.rbegin(); found != names.rend(); ++found) {
    if (!path.empty()) path += '/';
    path += *found;
  }
  return path;
}

Result<IndexFile::GroupRecord> IndexFile::group_record(std::uint32_t group) const {
  if (group >= header_.groups) return sys::Errno{EIO};
  const auto record = load<GroupRecord>(data_ + header_.groups_offset + std::size_t{group} * group_size);
  if (record.count == 0 || record.first > header_.members || record.count > header_.members - record.first)
    return sys::Errno{EIO};
  return record;
}

std::uint32_t IndexFile::member(std::uint32_t number) const {
  return load<std::uint32_t>(data_ + header_.members_offset + std::size_t{number} * member_size);
}

Result<std::vector<std::uint32_t>> IndexFile::group(std::uint32_t number) const {
  LAMINA_ASSIGN(const IndexEntry entry, this->entry(number));
  if (entry.group == no_group) return std::vector{number};
  LAMINA_ASSIGN(const GroupRecord record, group_record(entry.group));
  std::vector<std::uint32_t> members;
  members.reserve(record.count);
  for (std::uint32_t index = 0; index < record.count; ++index) {
    const std::uint32_t found = member(record.first + index);
    LAMINA_ASSIGN(const IndexEntry other, this->entry(found));
    if (other.group != entry.group || S_ISDIR(other.mode)) return sys::Errno{EIO};
    if (!members.empty() && found <= members.back()) return sys::Errno{EIO};
    members.push_back(found);
  }
  if (std::find(members.begin(), members.end(), number) == members.end()) return sys::Errno{EIO};
  return members;
}

Result<std::vector<std::uint32_t>> IndexFile::group_members_below(std::uint32_t directory) const {
  std::vector<std::uint32_t> below;
  for (std::uint32_t index = 0; index < header_.members; ++index) {
    const std::uint32_t found = member(index);
    LAMINA_ASSIGN(IndexEntry at, entry(found));
    if (S_ISDIR(at.mode)) return sys::Errno{EIO};
    std::uint32_t number = found;
    // A parent comes before its children.
    while (number > directory && at.parent < number) {
      number = at.parent;
      LAMINA_ASSIGN(at, entry(number));
    }
    if (number == directory && found != directory) below.push_back(found);
  }
  return below;
}

Result<std::uint32_t> IndexFile::first_name(std::uint32_t number, const IndexEntry& entry) const {
  if (entry.group == no_group) return number;
  LAMINA_ASSIGN(const GroupRecord record, group_record(entry.group));
  const std::uint32_t first = member(record.first);
  return first < count() ? Result<std::uint32_t>(first) : sys::Errno{EIO};
}

Status IndexFile::verify() const {
  const std::span<const std::byte> content(data_ + index_header_size, size_ - index_header_size);
  return xxh64(content) == header_.checksum ? Status() : Status(sys::Errno{EIO});
}

}  // namespace lamina::overlay
