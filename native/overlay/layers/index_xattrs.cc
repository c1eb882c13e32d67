// The xattrs of an index: per attribute u16 name length, u16 zero, u32 value length, name, value; sorted by name;
// unaligned.
#include <cstring>
#include <optional>

#include "overlay/layers/index_file.h"

namespace lamina::overlay {

namespace {

struct Attribute {
  std::string_view name;
  std::span<const std::byte> value;
};

// Removes the first attribute from `block`; nothing where it is truncated, or has a NUL in its name, which would be two
// names in a list.
std::optional<Attribute> take_attribute(std::span<const std::byte>& block) {
  constexpr std::size_t head = 8;
  if (block.size() < head) return std::nullopt;
  std::uint16_t name_length = 0;
  std::uint32_t value_length = 0;
  std::memcpy(&name_length, block.data(), sizeof(name_length));
  std::memcpy(&value_length, block.data() + 4, sizeof(value_length));
  block = block.subspan(head);
  if (name_length == 0 || name_length > block.size() || value_length > block.size() - name_length) return std::nullopt;
  const Attribute attribute{{reinterpret_cast<const char*>(block.data()), name_length},
                            block.subspan(name_length, value_length)};
  if (attribute.name.find('\0') != std::string_view::npos) return std::nullopt;
  block = block.subspan(std::size_t{name_length} + value_length);
  return attribute;
}

}  // namespace

Result<std::span<const std::byte>> IndexFile::xattr_block(const IndexEntry& entry) const {
  if (entry.xattrs_offset == no_xattrs) return std::span<const std::byte>();
  if (entry.xattrs_offset > header_.xattrs_length ||
      entry.xattrs_length > header_.xattrs_length - entry.xattrs_offset) {
    return sys::Errno{EIO};
  }
  return std::span(data_ + header_.xattrs_offset + entry.xattrs_offset, entry.xattrs_length);
}

Result<std::span<const std::byte>> IndexFile::xattr(const IndexEntry& entry, std::string_view name) const {
  LAMINA_ASSIGN(auto block, xattr_block(entry));
  while (!block.empty()) {
    const auto attribute = take_attribute(block);
    if (!attribute) return sys::Errno{EIO};
    if (attribute->name == name) return attribute->value;
    if (attribute->name > name) break;
  }
  return sys::Errno{ENODATA};
}

Result<std::string> IndexFile::xattr_names(const IndexEntry& entry) const {
  LAMINA_ASSIGN(auto block, xattr_block(entry));
  std::string names;
  while (!block.empty()) {
    const auto attribute = take_attribute(block);
    if (!attribute) return sys::Errno{EIO};
    names += attribute->name;
    names += '\0';
  }
  return names;
}

}  // namespace lamina::overlay
