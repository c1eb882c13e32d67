// All inodes by node and by key. A node is in the table while its lookup count is above zero; an inode lives on while a
// child refers to it.
#pragma once

#include <array>
#include <functional>
#include <mutex>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "overlay/inodes/forgotten_nodes.h"
#include "overlay/inodes/inode.h"

namespace lamina::overlay {

class InodeTable {
 public:
  explicit InodeTable(std::unique_ptr<NodeStore> store) : store_(std::move(store)) {}
  // ESTALE for a node that was forgotten. Returns the file's present inode, where the node was replaced.
  Result<InodeRef> get(NodeId node) const;
  // The inode of `key` with its lookup count raised: the known one, or the result of `make`, which gets the name.
  // `make` must not use the table.
  InodeRef intern(const InodeKey& key, std::string_view name, const std::function<InodeRef()>& make);
  // The lookup count of an inode that is known.
  void raise(const InodeRef& inode);
  [[nodiscard]] InodeRef find(const InodeKey& key) const;
  // Replaces the inode, whose mutex is held, by `other`, which has no references yet.
  void replace(const InodeRef& inode, const InodeRef& other);
  // Enters a file without a name.
  void add(const InodeRef& inode, const InodeKey& key);

  // Another key that leads to the inode, and is its newest once it is settled. A death between the two steps leaves a
  // record of each.
  class NewKey {
   public:
    // `parent` and `name`: where the file will lie. `ino`: its number from then on.
    NewKey(InodeTable& table, const InodeRef& inode, const InodeKey& key, std::uint64_t ino, InodeRef parent,
           std::string_view name);
    NewKey(const NewKey&) = delete;
    NewKey& operator=(const NewKey&) = delete;
    // Removes the key if it was not settled.
    ~NewKey();
    // The file lies there now. The inode's mutex is held.
    void settle();

   private:
    InodeTable& table_;
    const InodeRef inode_;
    const InodeKey key_;
    const InodeRef parent_;
    NodeRecord* record_;
  };
  // The inode has a new place from now on. Its mutex is held.
  void move(Inode& inode, const InodeRef& parent, std::string_view name);
  // A lower's file has no name any more, and lies at `path` there. Its mutex is held.
  void keep_lower_path(Inode& inode, std::string_view path);

  // After a restart: enters what the store knows, not yet resolved, beside the root. Returns the inodes that may have
  // been about to get another key.
  std::vector<InodeRef> restore(const InodeRef& root);
  // The newest key of such an inode led nowhere: its former key is valid again.
  void take_back_key(const InodeRef& inode);
  [[nodiscard]] const NodeStore& store() const { return *store_; }
  // True where the node is no longer known.
  bool forget(NodeId node, std::uint64_t count);
  // The former place of a node that get() no longer knows.
  [[nodiscard]] std::optional<ForgottenNodes::Record> forgotten(NodeId node) const { return forgotten_.find(node); }
  // A name of the file is removed: its forgotten records are dropped.
  void forget_permanently(const InodeKey& key) { forgotten_.erase(key); }
  [[nodiscard]] std::uint64_t size() const;

 private:
  static constexpr std::size_t shard_count = 64;
  // The fields that the next record of the inode shares with the present one.
  static NodeFields successor(const Inode& inode);

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
  void enter(const InodeKey& key, const InodeRef& inode);
  void drop_key(const InodeKey& key, const Inode& inode);
  void supersede(Inode& inode, NodeRecord* record);
  void remember(Inode& inode);
  void drop_keys(Inode& inode);

  const std::unique_ptr<NodeStore> store_;  // outlives the inodes
  std::array<NodeShard, shard_count> nodes_;
  std::array<KeyShard, shard_count> keys_;
  ForgottenNodes forgotten_;
};

}  // namespace lamina::overlay
