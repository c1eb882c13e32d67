// A bounded number of open real files by node, the least recently used evicted first.
#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <mutex>
#include <unordered_map>

#include "overlay/file_system.h"
#include "overlay/types.h"

namespace lamina::overlay {

class FileCache {
 public:
  explicit FileCache(std::size_t limit) : limit_per_shard_(limit / shard_count + 1) {}

  RealFileRef get(NodeId node) {
    Shard& shard = shard_of(node);
    std::lock_guard lock(shard.mutex);
    const auto found = shard.by_node.find(node);
    if (found == shard.by_node.end()) return nullptr;
    shard.recent.splice(shard.recent.begin(), shard.recent, found->second);
    return found->second->second;
  }

  void put(NodeId node, RealFileRef file) {
    Shard& shard = shard_of(node);
    RealFileRef evicted;  // closed outside the lock
    std::lock_guard lock(shard.mutex);
    erase_locked(shard, node);
    shard.recent.emplace_front(node, std::move(file));
    shard.by_node[node] = shard.recent.begin();
    if (shard.recent.size() <= limit_per_shard_) return;
    evicted = std::move(shard.recent.back().second);
    shard.by_node.erase(shard.recent.back().first);
    shard.recent.pop_back();
  }

  void erase(NodeId node) {
    Shard& shard = shard_of(node);
    std::lock_guard lock(shard.mutex);
    erase_locked(shard, node);
  }

  [[nodiscard]] std::uint64_t size() const {
    std::uint64_t total = 0;
    for (const Shard& shard : shards_) {
      std::lock_guard lock(shard.mutex);
      total += shard.recent.size();
    }
    return total;
  }

 private:
  static constexpr std::size_t shard_count = 16;
  using Entry = std::pair<NodeId, RealFileRef>;
  struct alignas(64) Shard {
    mutable std::mutex mutex;
    std::list<Entry> recent;
    std::unordered_map<NodeId, std::list<Entry>::iterator> by_node;
  };
  static void erase_locked(Shard& shard, NodeId node) {
    const auto found = shard.by_node.find(node);
    if (found == shard.by_node.end()) return;
    shard.recent.erase(found->second);
    shard.by_node.erase(found);
  }
  Shard& shard_of(NodeId node) { return shards_[node % shard_count]; }

  std::size_t limit_per_shard_;
  std::array<Shard, shard_count> shards_;
};

}  // namespace lamina::overlay
