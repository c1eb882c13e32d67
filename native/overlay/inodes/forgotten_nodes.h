// How to find inodes again that the kernel has forgotten: a file handle (open_by_handle_at(2)) may outlive every cache.
#pragma once

#include <array>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "overlay/inodes/inode.h"

namespace lamina::overlay {

// Thread-safe; no lock is held while another is taken. After a race a record may remain of a node that is in use again:
// a caller that finds it must check that the name still leads to the node.
class ForgottenNodes {
 public:
  // About 200 bytes each. The oldest are dropped first: their handles then get ESTALE.
  static constexpr std::size_t most = 1U << 15U;

  // A file whose known name was removed while another one is left somewhere.
  struct Nameless {
    std::uint64_t ino = 0;
    std::uint32_t type = 0;
    std::string handle;  // of the real file in the upper; empty: it has none there
    bool metacopy = false;
    std::vector<LowerPlace> lowers;
  };
  struct Record {
    InodeKey key;
    NodeId parent = 0;
    std::string name;
    std::shared_ptr<const Nameless> nameless;
  };

  // Of an inode without a name, whose mutex is held; null where no name is left, or its file cannot be found without
  // one.
  static std::shared_ptr<const Nameless> nameless_file(const Inode& inode);
  void remember(NodeId node, Record record);
  [[nodiscard]] std::optional<Record> find(NodeId node) const;
  // The earlier node of a file, which it gets again.
  std::optional<NodeId> take(const InodeKey& key);
  // The file loses a name, and with its last one its key may be reused for another file.
  void erase(const InodeKey& key) { take(key); }

 private:
  static constexpr std::size_t shard_count = 64;
  static constexpr std::size_t most_in_shard = most / shard_count;
  struct alignas(64) NodeShard {
    mutable std::mutex mutex;
    std::unordered_map<NodeId, Record> records;
    std::deque<NodeId> order;  // oldest first; may contain nodes that were removed
  };
  struct alignas(64) KeyShard {
    std::mutex mutex;
    std::unordered_map<InodeKey, NodeId, InodeKeyHash> nodes;
  };

  NodeShard& node_shard(NodeId node) { return nodes_[node % shard_count]; }
  const NodeShard& node_shard(NodeId node) const { return nodes_[node % shard_count]; }
  KeyShard& key_shard(const InodeKey& key) { return keys_[(InodeKeyHash()(key) >> 7) % shard_count]; }
  void drop_key(const InodeKey& key, NodeId node);

  std::array<NodeShard, shard_count> nodes_;
  std::array<KeyShard, shard_count> keys_;
};

}  // namespace lamina::overlay
