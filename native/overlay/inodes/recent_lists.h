// Keeps the lists of names that were made last, up to a number of names, whatever the size of the tree. Inodes refer to
// their lists weakly: one that was dropped is rebuilt from the layers, with the same cookies.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <vector>

namespace lamina::overlay {

class RecentLists {
 public:
  explicit RecentLists(std::size_t most_names) : most_names_(most_names) {}

  // Keeps `list` until newer ones replace it; the newest is kept whatever its size.
  void keep(std::shared_ptr<const void> list, std::size_t names) {
    std::vector<std::shared_ptr<const void>> dropped;  // freed outside the lock
    std::lock_guard lock(mutex_);
    kept_.push_back({std::move(list), names});
    names_ += names;
    while ((names_ > most_names_ || kept_.size() > most_lists()) && kept_.size() > 1) {
      names_ -= kept_.front().names;
      dropped.push_back(std::move(kept_.front().list));
      kept_.pop_front();
    }
  }

  [[nodiscard]] std::size_t size() const {
    std::lock_guard lock(mutex_);
    return kept_.size();
  }

 private:
  // An empty list has a cost too.
  [[nodiscard]] std::size_t most_lists() const { return most_names_ / 16; }

  struct Kept {
    std::shared_ptr<const void> list;
    std::size_t names;
  };
  const std::size_t most_names_;
  mutable std::mutex mutex_;
  std::deque<Kept> kept_;  // guarded by mutex_; oldest first
  std::size_t names_ = 0;  // guarded by mutex_
};

}  // namespace lamina::overlay
