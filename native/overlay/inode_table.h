// All inodes by node and by key. A node is in the table while its lookup count is above zero; an inode lives on while a child
// refers to it.
#pragma once

#include <array>
#include <functional>
#include <mutex>
#include <unordered_map>
#include <unordered_set>

#include "overlay/forgotten_nodes.h"
#include "overlay/inode.h"

namespace lamina::overlay {

class InodeTable {
 public:
  // ESTALE for a node that was forgotten. What stands for the file now, where the node was replaced.
  Result<InodeRef> get(NodeId node) const;
  // The inode of `key` with its lookup count raised: the known one, or what `make` gives. `make` must not use the table.
  InodeRef intern(const InodeKey& key, const std::function<InodeRef()>& make);
  [[nodiscard]] InodeRef find(const InodeKey& key) const;
  void add_key(const InodeRef& inode, const InodeKey& key);
  // Lets `other`, which nobody knows yet, take the place of the inode.
  void replace(const InodeRef& inode, const InodeRef& other);
  // Enters an inode that has no key, such as a file without a name.
  void add(const InodeRef& inode);
  // True where nobody knows the node any more.
  bool forget(NodeId node, std::uint64_t count);
  // Where a node was that get() does not know any more.
  [[nodiscard]] std::optional<ForgottenNodes::Record> forgotten(NodeId node) const { return forgotten_.find(node); }
  // A name of the file goes: what was forgotten of it stays so.
  void forget_for_ever(const InodeKey& key) { forgotten_.erase(key); }
  [[nodiscard]] std::uint64_t size() const;

 private:
  static constexpr std::size_t shard_count = 64;
  // An inode is found by its node.
  struct NodeHash {
    using is_transparent = void;
    std::size_t operator()(NodeId node) const noexcept { return node / shard_count; }
    std::size_t operator()(const InodeRef& inode) const noexcept { return (*this)(inode->id); }
  };
  struct SameNode {
    using is_transparent = void;
    bool operator()(const InodeRef& a, const InodeRef& b) const noexcept { return a->id == b->id; }
    bool operator()(NodeId node, const InodeRef& inode) const noexcept { return node == inode->id; }
    bool operator()(const InodeRef& inode, NodeId node) const noexcept { return node == inode->id; }
  };
  struct alignas(64) NodeShard {
    mutable std::mutex mutex;
    std::unordered_set<InodeRef, NodeHash, SameNode> nodes;
  };
  struct alignas(64) KeyShard {
    mutable std::mutex mutex;
    std::unordered_map<InodeKey, std::weak_ptr<Inode>, InodeKeyHash> inodes;
  };

  NodeShard& node_shard(NodeId node) { return nodes_[node % shard_count]; }
  const NodeShard& node_shard(NodeId node) const { return nodes_[node % shard_count]; }
  KeyShard& key_shard(const InodeKey& key) { return keys_[(InodeKeyHash()(key) >> 7) % shard_count]; }
  const KeyShard& key_shard(const InodeKey& key) const { return keys_[(InodeKeyHash()(key) >> 7) % shard_count]; }
  void raise(const InodeRef& inode);
  void remember(Inode& inode);
  void drop_keys(Inode& inode);

  std::array<NodeShard, shard_count> nodes_;
  std::array<KeyShard, shard_count> keys_;
  ForgottenNodes forgotten_;
  std::atomic<NodeId> next_{root_node};
};

}  // namespace lamina::overlay
