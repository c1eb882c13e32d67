#include "fuzz/index_image.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "overlay/layers/index_file.h"
#include "overlay/layers/xxh64.h"

namespace lamina::fuzz {

namespace {

using overlay::IndexEntry;
using overlay::IndexHeader;
using overlay::no_group;
using overlay::no_xattrs;

constexpr std::size_t member_size = 4;
constexpr std::size_t hash_size = 32;
constexpr std::size_t most_entries = 14;

std::size_t aligned(std::size_t offset) { return (offset + 7) / 8 * 8; }

// Names and targets; any bytes may be in them, but mostly letters are.
std::string take_name(Input& input) {
  std::string name;
  for (std::size_t left = 1 + input.byte() % 3U; left > 0; --left) {
    const std::uint8_t byte = input.byte();
    name += byte < 0xF0 ? static_cast<char>('a' + byte % 6U) : static_cast<char>(byte - 0xF0U + '.');
  }
  return name;
}

class Image {
 public:
  explicit Image(Input& input) : input_(input) { add(0, S_IFDIR | 0755U); }

  std::string bytes() {
    // Breadth-first, as the children of a directory follow one another.
    for (std::uint32_t at = 0; at < entries_.size(); ++at) fill(at);
    for (std::uint32_t at = 0; at < entries_.size(); ++at) put_in_group(at);
    return laid_out();
  }

 private:
  void add(std::uint32_t parent, std::uint32_t mode) {
    IndexEntry entry;
    entry.parent = parent;
    entry.mode = mode;
    entry.group = no_group;
    entry.xattrs_offset = no_xattrs;
    entry.nlink = 1;
    entries_.push_back(entry);
  }

  void fill(std::uint32_t at) {
    constexpr std::array<std::uint32_t, 8> types = {S_IFREG, S_IFDIR, S_IFDIR, S_IFREG,
                                                    S_IFLNK, S_IFCHR, S_IFREG, S_IFIFO};
    if (S_ISLNK(entries_[at].mode)) set_text(entries_[at].first_child, entries_[at].children, take_name(input_));
    if (input_.byte() % 4 == 0) add_attributes(entries_[at]);
    if (!S_ISDIR(entries_[at].mode)) return;
    const std::size_t wanted = input_.byte() % 5U;
    const auto first = static_cast<std::uint32_t>(entries_.size());
    while (entries_.size() < std::min(first + wanted, most_entries)) {
      add(at, types[input_.byte() % types.size()] | 0644U);
      name_entry(entries_.back(), take_name(input_));
    }
    entries_[at].first_child = first;
    entries_[at].children = static_cast<std::uint32_t>(entries_.size()) - first;
    sort_names(first);
  }

  void name_entry(IndexEntry& entry, const std::string& name) {
    std::uint32_t length = 0;
    set_text(entry.name_offset, length, name);
    entry.name_length = static_cast<std::uint16_t>(length);
    entry.name_hash = overlay::xxh64(name);
  }
  void set_text(std::uint32_t& offset, std::uint32_t& length, const std::string& text) {
    offset = static_cast<std::uint32_t>(strings_.size());
    length = static_cast<std::uint32_t>(text.size());
    strings_ += text;
  }

  void sort_names(std::uint32_t first) {
    const auto name = [this](const IndexEntry& entry) { return strings_.substr(entry.name_offset, entry.name_length); };
    std::sort(entries_.begin() + first, entries_.end(), [&](const IndexEntry& left, const IndexEntry& right) {
      return left.name_hash != right.name_hash ? left.name_hash < right.name_hash : name(left) < name(right);
    });
  }

  void add_attributes(IndexEntry& entry) {
    constexpr std::array<const char*, 6> names = {"security.x",
                                                  "trusted.overlay.metacopy",
                                                  "trusted.overlay.opaque",
                                                  "trusted.overlay.redirect",
                                                  "user.overlay.redirect",
                                                  "user.x"};
    const auto start = xattrs_.size();
    const std::uint8_t chosen = input_.byte();
    for (std::size_t number = 0; number < names.size(); ++number) {
      if ((chosen >> number & 1U) == 0) continue;
      const std::string value = input_.byte() % 2 == 0 ? "y" : "/" + take_name(input_);
      std::array<char, 8> head{};
      head[0] = static_cast<char>(std::strlen(names[number]));
      head[4] = static_cast<char>(value.size());
      xattrs_.append(head.data(), head.size());
      xattrs_ += names[number] + value;
    }
    entry.flags = static_cast<std::uint16_t>(input_.byte() & 0x3FU);
    entry.xattrs_offset = static_cast<std::uint32_t>(start);
    entry.xattrs_length = static_cast<std::uint32_t>(xattrs_.size() - start);
  }

  // Files of the same number are names of one.
  void put_in_group(std::uint32_t at) {
    if (S_ISDIR(entries_[at].mode)) return;
    const std::size_t group = input_.byte() % 8U;
    if (group < groups_.size()) {
      groups_[group].push_back(at);
      entries_[at].group = static_cast<std::uint32_t>(group);
    }
  }

  std::string laid_out() {
    IndexHeader header;
    std::memcpy(header.magic, overlay::index_magic.data(), overlay::index_magic.size());
    header.version = 1 + input_.byte() % 2U;
    header.header_size = overlay::index_header_size;
    header.entries = static_cast<std::uint32_t>(entries_.size());
    header.groups = static_cast<std::uint32_t>(groups_.size());
    std::string members;
    std::string groups;
    for (const auto& group : groups_) {
      append_number(groups, static_cast<std::uint32_t>(members.size() / member_size));
      append_number(groups, static_cast<std::uint32_t>(group.size()));
      for (const std::uint32_t each : group) append_number(members, each);
    }
    header.members = static_cast<std::uint32_t>(members.size() / member_size);
    header.strings_length = strings_.size();
    header.xattrs_length = xattrs_.size();
    header.hashes = header.version > 1 ? 1 : 0;
    std::string file(overlay::index_header_size, '\0');
    const auto section = [&file](const void* bytes, std::size_t size) {
      const std::size_t at = file.size();
      file.append(static_cast<const char*>(bytes), size);
      file.resize(aligned(file.size()));
      return at;
    };
    header.entries_offset = section(entries_.data(), entries_.size() * overlay::index_entry_size);
    header.groups_offset = section(groups.data(), groups.size());
    header.members_offset = section(members.data(), members.size());
    header.strings_offset = section(strings_.data(), strings_.size());
    header.xattrs_offset = section(xattrs_.data(), xattrs_.size());
    if (header.version > 1) {
      header.hashes_offset = section(std::string(hash_size, 'h').data(), hash_size);
      header.origin_offset = section(std::string(8, input_.byte() % 2 == 0 ? '\0' : 'o').data(), 8);
    }
    return with_other_numbers(std::move(file), header);
  }

  static void append_number(std::string& out, std::uint32_t number) {
    out.append(reinterpret_cast<const char*>(&number), sizeof number);
  }

  std::string with_other_numbers(std::string file, IndexHeader header) {
    header.file_size = file.size();
    std::memcpy(file.data(), &header, sizeof header);
    while (!input_.empty()) {
      const std::size_t place =
          (input_.byte() | (std::size_t{input_.byte()} << 8U)) % (file.size() - sizeof(std::uint32_t));
      const std::uint8_t shape = input_.byte();
      const std::uint32_t number = (shape & 1U) != 0 ? shape >> 1U : 0xFFFFFFFFU - (shape >> 1U);
      std::memcpy(file.data() + place, &number, (shape & 2U) != 0 ? sizeof number : sizeof(std::uint16_t));
    }
    std::memcpy(&header, file.data(), sizeof header);
    header.checksum = overlay::xxh64(std::string_view(file).substr(overlay::index_header_size));
    std::memcpy(file.data(), &header, sizeof header);
    return file;
  }

  Input& input_;
  std::vector<IndexEntry> entries_;
  std::array<std::vector<std::uint32_t>, 3> groups_;
  std::string strings_, xattrs_;
};

}  // namespace

std::string make_index_image(Input& input) { return Image(input).bytes(); }

}  // namespace lamina::fuzz
