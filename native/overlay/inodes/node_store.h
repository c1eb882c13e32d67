// The state of every inode that outlives a worker: its node and where to find it again, in memory that is shared with
// the process that starts the next worker. A record stands from add() to drop(), whenever the worker dies; how the
// memory is divided is known from the records alone.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "overlay/types.h"
#include "sys/result.h"
#include "sys/shared_memory.h"
#include "sys/small_mutex.h"

namespace lamina::overlay {

// Identifies the real file behind an inode: a file of the upper (layer 0, its st_ino) or of a lower (1 + its place in
// the stack, Layer::identity). Of a hard-linked file of a lower without an index each name is an inode of its own: its
// key has a keyed hash of the path there.
struct InodeKey {
  static constexpr std::size_t none = ~std::size_t{0};
  static constexpr std::size_t by_path = std::size_t{1} << 31U;  // in `layer`
  [[nodiscard]] std::size_t position() const { return layer & ~by_path; }
  [[nodiscard]] bool is_by_path() const { return !is_none() && (layer & by_path) != 0; }
  std::size_t layer = none;
  std::uint64_t identity = 0;
  [[nodiscard]] bool is_none() const { return layer == none; }
  friend bool operator==(const InodeKey&, const InodeKey&) = default;
};

struct InodeKeyHash {
  std::size_t operator()(const InodeKey& key) const noexcept {
    return std::hash<std::uint64_t>()((key.identity * 0x9E3779B97F4A7C15ULL) ^ (key.layer * 0xC2B2AE3D27D4EB4FULL));
  }
};

// Only the atomic members change: another place, name or key needs another record.
struct NodeRecord {
  static constexpr std::uint8_t nameless = 1;    // removed, or never named: `name` is its last one
  static constexpr std::uint8_t lower_path = 2;  // nameless, and `name` is its path in the lower of its key
  static constexpr std::uint8_t linking = 4;     // the names of its hard-link group are being made in the upper

  std::atomic<NodeId> node;  // 0: the record is free
  NodeId parent;
  std::atomic<std::uint64_t> lookups;
  std::uint64_t ino;
  std::uint64_t identity;  // with `layer` the key
  std::uint32_t layer;
  std::atomic<std::int32_t> pin;  // the descriptor of a file that has no name, or -1
  std::uint32_t version;          // of two records of a node the later one has the place
  std::uint16_t name_length;
  std::uint8_t type;  // the S_IFMT bits, shifted
  std::atomic<std::uint8_t> flags;

  [[nodiscard]] InodeKey key() const { return {layer, identity}; }
  [[nodiscard]] bool is(std::uint8_t flag) const { return (flags.load(std::memory_order_relaxed) & flag) != 0; }
  [[nodiscard]] std::string_view name() const { return {reinterpret_cast<const char*>(this + 1), name_length}; }
};
static_assert(sizeof(NodeRecord) == 56 && std::atomic<NodeId>::is_always_lock_free);

// What a record is made of.
struct NodeFields {
  NodeId node = 0, parent = 0;
  std::uint64_t ino = 0;
  InodeKey key;
  std::uint32_t type = 0;  // the S_IFMT bits
  std::uint32_t version = 0;
  std::int32_t pin = -1;
  std::uint8_t flags = 0;
  std::string_view name;
};

// Thread-safe. Address and content are the same in all processes that were forked since it was made.
class NodeStore {
 public:
  static sys::Result<std::unique_ptr<NodeStore>> make();
  NodeStore(const NodeStore&) = delete;
  NodeStore& operator=(const NodeStore&) = delete;

  // A node that was never used.
  NodeId next_node() { return header().next_node.fetch_add(1, std::memory_order_relaxed); }
  // With a lookup count of 0. Throws std::bad_alloc when the memory is full.
  NodeRecord* add(const NodeFields& fields);
  // Removes a record from its store.
  static void drop(NodeRecord* record);
  // In a process that was forked from one that made the store and has died: finds what is free. Call it first.
  void recover();
  void for_each(const std::function<void(NodeRecord&)>& use) const;

  static constexpr std::size_t longest_name = 15 * 1024;

 private:
  static constexpr std::size_t chunk_size = std::size_t{16} * 1024;
  static constexpr std::size_t step = 8;
  static constexpr std::size_t largest_shared = 384;  // longer records have a chunk of their own
  static constexpr std::size_t class_count = largest_shared / step + 2;

  struct Header {
    std::atomic<NodeId> next_node;
    std::atomic<std::size_t> chunks;  // ever used, this one included
  };
  // Records of one size. recover() rebuilds all of its head but the size.
  struct Chunk {
    NodeStore* store;
    std::uint32_t record_size;  // 0: the chunk is free
    std::uint32_t used;
    NodeRecord* free;  // each refers to the next by its `parent`
    Chunk *next, *previous;
  };

  explicit NodeStore(sys::SharedMemory memory);
  [[nodiscard]] Header& header() const { return *reinterpret_cast<Header*>(base_); }
  [[nodiscard]] Chunk* chunk(std::size_t number) const { return reinterpret_cast<Chunk*>(base_ + number * chunk_size); }
  static std::size_t class_of(std::size_t size) { return size <= largest_shared ? size / step : class_count - 1; }
  static std::size_t records_in(const Chunk& chunk) { return (chunk_size - sizeof(Chunk)) / chunk.record_size; }
  static NodeRecord* record(Chunk& chunk, std::size_t number) {
    return reinterpret_cast<NodeRecord*>(reinterpret_cast<std::byte*>(&chunk + 1) + number * chunk.record_size);
  }
  Chunk* new_chunk(std::size_t record_size);
  void open(Chunk& chunk);
  void close(Chunk& chunk);
  void put_back(NodeRecord* record);

  sys::SharedMemory memory_;
  std::byte* base_;
  sys::SmallMutex mutex_;                   // guards all below and the chunks' heads
  std::array<Chunk*, class_count> open_{};  // chunks with room, of each class
  std::vector<std::size_t> free_chunks_;
};

}  // namespace lamina::overlay
