// The paths that were read while servicing (docs/format.md, "Read set"): kept in memory, each path and kind once, written at the
// end.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "filter/filter.h"
#include "sys/file_descriptor.h"

namespace lamina::filter {

class ReadSet {
 public:
  // The file will be made at `path` by write(); its directory must exist now.
  static Result<std::unique_ptr<ReadSet>> open(const std::string& path, std::string& explanation);

  void record(ReadKind kind, std::string_view path);
  // Replaces the file as a whole: temporary name, fsync, rename, fsync of the directory.
  Status write();

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  using Kinds = std::uint8_t;  // a bit for each ReadKind
  struct Shard {
    std::mutex mutex;
    std::unordered_map<std::string, Kinds, Hash, std::equal_to<>> paths;  // guarded by mutex
  };

  ReadSet(sys::FileDescriptor directory, std::string name) : directory_(std::move(directory)), name_(std::move(name)) {}
  Status write_lines(int file);

  sys::FileDescriptor directory_;
  std::string name_;
  std::array<Shard, 16> shards_;
};

}  // namespace lamina::filter
