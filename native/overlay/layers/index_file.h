// The index of a sealed tree, as in docs/format-index.md: mapped into memory, read in place. Nothing in it is trusted:
// what is invalid is EIO, never a read outside. Immutable, so any thread may read. (The file itself must not be
// truncated while it is mapped: the kernel would answer with SIGBUS.)
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "overlay/layers/layer.h"
#include "sys/result.h"

namespace lamina::overlay {

// An entry as it lies in the file.
struct IndexEntry {
  enum Flag : std::uint16_t {
    whiteout = 1,
    opaque = 2,
    metacopy = 4,
    redirect = 8,
    has_xattrs = 16,
    has_other_xattrs = 32
  };

  std::uint32_t parent = 0;
  std::uint32_t name_offset = 0;
  std::uint16_t name_length = 0;
  std::uint16_t flags = 0;
  std::uint32_t mode = 0;
  std::uint64_t name_hash = 0;
  std::uint64_t size = 0;
  std::uint64_t content = 0;  // version 1: a hash of the content; from 2 on the number of its hash. Not for the driver
  std::int64_t mtime = 0, ctime = 0, atime = 0, btime = 0;
  std::uint32_t mtime_ns = 0, ctime_ns = 0, atime_ns = 0, btime_ns = 0;
  std::uint32_t uid = 0, gid = 0;
  std::uint32_t rdev_major = 0, rdev_minor = 0;
  std::uint64_t blocks = 0;
  std::uint32_t nlink = 0;
  std::uint32_t group = 0;          // or no_group
  std::uint32_t first_child = 0;    // of a symlink: the target's offset
  std::uint32_t children = 0;       // of a symlink: the target's length
  std::uint32_t xattrs_offset = 0;  // or no_xattrs
  std::uint32_t xattrs_length = 0;

  [[nodiscard]] bool is(Flag flag) const { return (flags & flag) != 0; }
};
inline constexpr std::size_t index_entry_size = 136;
static_assert(sizeof(IndexEntry) == index_entry_size);

inline constexpr std::uint32_t no_group = 0xFFFFFFFFU;
inline constexpr std::uint32_t no_xattrs = 0xFFFFFFFFU;

// The first 128 bytes of the file.
struct IndexHeader {
  char magic[8] = {};
  std::uint32_t version = 0;
  std::uint32_t header_size = 0;
  std::uint64_t file_size = 0;
  std::uint64_t checksum = 0;  // xxh64 of the bytes from 128 to the end
  std::uint32_t entries = 0;
  std::uint32_t groups = 0;
  std::uint64_t entries_offset = 0, groups_offset = 0, members_offset = 0;
  std::uint64_t strings_offset = 0, strings_length = 0;
  std::uint64_t xattrs_offset = 0, xattrs_length = 0;
  std::uint32_t members = 0;
  // Zero in version 1.
  std::uint32_t hashes = 0;
  std::uint64_t hashes_offset = 0;
  std::uint64_t origin_offset = 0;  // a u64: the checksum of the index of version 1 that this one replaced, or 0
  std::uint64_t zero = 0;
};
inline constexpr std::size_t index_header_size = 128;
static_assert(sizeof(IndexHeader) == index_header_size);
inline constexpr std::string_view index_magic = "LAMINAIX";
// The fields read here are at the same offsets in both versions.
inline constexpr std::uint32_t oldest_index_version = 1;
inline constexpr std::uint32_t index_version = 2;

// Whether a directory can have a child of that name.
[[nodiscard]] bool is_possible_name(std::string_view name);

class IndexFile {
 public:
  // Checks the header and that every section lies in the file; not the checksum, which would read all of it. On failure
  // `explanation` gets one line for people.
  static Result<std::unique_ptr<IndexFile>> open(const std::string& path, std::string& explanation);
  IndexFile(const IndexFile&) = delete;
  IndexFile& operator=(const IndexFile&) = delete;
  ~IndexFile();

  [[nodiscard]] std::uint32_t count() const { return header_.entries; }
  // The identity of this index: the checksum in the header, or that of the index of version 1 that it replaced.
  [[nodiscard]] std::uint64_t fingerprint() const;
  // EIO where `number` is not in the index.
  Result<IndexEntry> entry(std::uint32_t number) const;
  Result<std::string_view> name(const IndexEntry& entry) const;
  Result<std::string_view> link_target(const IndexEntry& entry) const;

  // The number of the child of that name. ENOENT; ENOTDIR where `directory` is not one.
  Result<std::uint32_t> find(std::uint32_t directory, std::string_view name) const;
  // The children of a directory are [first, first + count), sorted by name_hash and name.
  struct Range {
    std::uint32_t first = 0, count = 0;
  };
  Result<Range> children(std::uint32_t directory) const;
  // The names from the root, joined by slashes; "" is the root. EIO where one of them is not a valid name.
  Result<std::string> path(std::uint32_t number) const;

  // ENODATA where the entry has none of that name. The value lies in the map, as long as this object lives.
  Result<std::span<const std::byte>> xattr(const IndexEntry& entry, std::string_view name) const;
  Result<std::string> xattr_names(const IndexEntry& entry) const;  // each ended by NUL

  // The entries of a hard-link group, ascending; the entry alone where it belongs to none. EIO where a directory is in
  // one.
  Result<std::vector<std::uint32_t>> group(std::uint32_t number) const;
  // The entries of all groups that lie below a directory.
  Result<std::vector<std::uint32_t>> group_members_below(std::uint32_t directory) const;
  // The entry that represents the file: the first of its group, or itself.
  Result<std::uint32_t> first_name(std::uint32_t number, const IndexEntry& entry) const;

  // Reads all of it: EIO where the checksum does not match.
  Status verify() const;

 private:
  IndexFile(const std::byte* data, std::size_t size, const IndexHeader& header)
      : data_(data), size_(size), header_(header) {}

  struct GroupRecord {
    std::uint32_t first = 0, count = 0;
  };
  Result<GroupRecord> group_record(std::uint32_t group) const;
  [[nodiscard]] std::uint32_t member(std::uint32_t number) const;
  Result<std::string_view> string(std::uint32_t offset, std::uint32_t length) const;
  Result<std::span<const std::byte>> xattr_block(const IndexEntry& entry) const;

  const std::byte* data_;
  std::size_t size_;
  IndexHeader header_;
};

}  // namespace lamina::overlay
