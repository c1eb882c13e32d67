// The paths that were read while servicing (docs/format-driver.md, "Read set"): kept in memory that outlives the
// process, each path and kind once, written at the end.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "filter/filter.h"
#include "sys/file_descriptor.h"
#include "sys/shared_memory.h"

namespace lamina::filter {

class ReadSet {
 public:
  // The file will be made at `path` by write(); its directory must exist now.
  static Result<std::unique_ptr<ReadSet>> open(const std::string& path, std::string& explanation);

  // Takes over what a process recorded that was forked from the same one and has died. Call it first.
  void recover();
  void record(ReadKind kind, std::string_view path);
  // Replaces the file as a whole: temporary name, fsync, rename, fsync of the directory. ENOMEM where not all could be
  // recorded: then there is no file.
  Status write();

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  using Kinds = std::uint8_t;  // a bit for each ReadKind
  // One after the other from the beginning of the memory, after its head; the path follows.
  struct Entry {
    std::atomic<Kinds> kinds;
    std::uint32_t length;
    [[nodiscard]] std::string_view path() const { return {reinterpret_cast<const char*>(this + 1), length}; }
    [[nodiscard]] static std::size_t size(std::size_t length) { return (sizeof(Entry) + length + 3) / 4 * 4; }
  };
  struct Head {
    std::atomic<std::size_t> used;  // what is before it is complete
    std::atomic<bool> full;         // something could not be recorded
  };
  struct Shard {
    std::mutex mutex;
    std::unordered_map<std::string_view, Entry*, Hash, std::equal_to<>> paths;  // guarded by mutex
  };

  ReadSet(sys::FileDescriptor directory, std::string name, sys::SharedMemory memory)
      : directory_(std::move(directory)), name_(std::move(name)), memory_(std::move(memory)) {}
  [[nodiscard]] Head& head() const { return *reinterpret_cast<Head*>(memory_.bytes().data()); }
  [[nodiscard]] Entry* entry(std::size_t at) const {
    return reinterpret_cast<Entry*>(memory_.bytes().data() + sizeof(Head) + at);
  }
  Entry* append(Kinds kinds, std::string_view path);
  Shard& shard_of(std::string_view path) { return shards_[Hash()(path) % shards_.size()]; }
  Status write_lines(int file);

  sys::FileDescriptor directory_;
  std::string name_;
  sys::SharedMemory memory_;
  std::mutex appending_;  // after a shard's
  std::array<Shard, 16> shards_;
};

}  // namespace lamina::filter
