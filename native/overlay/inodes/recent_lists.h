// Keeps the lists of names that were made last, up to a number of names, whatever the size of the tree. Inodes refer to
// their lists weakly: one that was dropped is rebuilt from the layers, with the same cookies.
#pragma once

#include <iterator>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "overlay/types.h"

namespace lamina::overlay {

class RecentLists {
 public:
  explicit RecentLists(std::size_t most_names) : most_names_(most_names) {}

  // Keeps the list of a directory, instead of what was kept of it, until newer ones replace it; the newest is kept
  // whatever its size.
  void keep(NodeId directory, std::shared_ptr<const void> list, std::size_t names) {
    std::list<Kept> dropped;  // freed outside the lock
    std::lock_guard lock(mutex_);
    if (const auto before = by_directory_.find(directory); before != by_directory_.end()) drop(before->second, dropped);
    kept_.push_back({directory, std::move(list), names});
    by_directory_[directory] = std::prev(kept_.end());
    names_ += names;
    while ((names_ > most_names_ || kept_.size() > most_lists()) && kept_.size() > 1) drop(kept_.begin(), dropped);
  }

  [[nodiscard]] std::size_t size() const {
    std::lock_guard lock(mutex_);
    return kept_.size();
  }

 private:
  struct Kept {
    NodeId directory = 0;
    std::shared_ptr<const void> list;
    std::size_t names = 0;
  };
  // An empty list has a cost too.
  [[nodiscard]] std::size_t most_lists() const { return most_names_ / 16; }
  void drop(std::list<Kept>::iterator which, std::list<Kept>& dropped) {
    names_ -= which->names;
    by_directory_.erase(which->directory);
    dropped.splice(dropped.end(), kept_, which);
  }

  const std::size_t most_names_;
  mutable std::mutex mutex_;  // guards all below
  std::list<Kept> kept_;      // oldest first
  std::unordered_map<NodeId, std::list<Kept>::iterator> by_directory_;
  std::size_t names_ = 0;
};

}  // namespace lamina::overlay
