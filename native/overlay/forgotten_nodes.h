// Where to find inodes again that the kernel has forgotten: a file handle (open_by_handle_at(2)) may outlive every cache.
#pragma once

#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "overlay/inode.h"

namespace lamina::overlay {

class ForgottenNodes {
 public:
  // The oldest go first: their handles are answered ESTALE.
  static constexpr std::size_t most = 1U << 18U;

  struct Record {
    InodeKey key;
    NodeId parent = 0;
    std::string name;
  };

  void remember(NodeId node, Record record);
  [[nodiscard]] std::optional<Record> find(NodeId node) const;
  // The node that a file had, which it is to have again.
  std::optional<NodeId> take(const InodeKey& key);
  // The file loses a name, and with its last one its key may come to stand for another file.
  void erase(const InodeKey& key) { take(key); }

 private:
  mutable std::mutex mutex_;
  std::unordered_map<NodeId, Record> records_;                 // guarded by mutex_
  std::unordered_map<InodeKey, NodeId, InodeKeyHash> by_key_;  // guarded by mutex_
  std::deque<NodeId> order_;                                   // guarded by mutex_; may name nodes that were taken
};

}  // namespace lamina::overlay
