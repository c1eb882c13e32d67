// The outermost lock of an overlay. Readers never wait for each other: each takes a mutex of its own; a writer takes
// them all.
//
// All locks, outermost first:
// TreeLock                      shared by all users of upper paths or nodes; exclusive to rename, or to replace a node
//   RestoredInodes::resolving_  after a restart only
//     Inode::copy_up            of parents before children
//       Inode::mutex            one at a time
//         caches, the table     each for itself
//         UpperFiles::modes_    the innermost
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <mutex>

namespace lamina::overlay {

class TreeLock {
 public:
  class Shared {
   public:
    explicit Shared(TreeLock& lock) : held_(lock.slots_[slot()].mutex) {}

   private:
    std::lock_guard<std::mutex> held_;
  };
  class Exclusive {
   public:
    explicit Exclusive(TreeLock& lock) : lock_(lock) {
      for (Slot& each : lock_.slots_) each.mutex.lock();
    }
    ~Exclusive() {
      for (Slot& each : lock_.slots_) each.mutex.unlock();
    }
    Exclusive(const Exclusive&) = delete;
    Exclusive& operator=(const Exclusive&) = delete;

   private:
    TreeLock& lock_;
  };

 private:
  static constexpr std::size_t slot_count = 32;
  struct alignas(64) Slot {
    std::mutex mutex;
  };
  static std::size_t slot() {
    static std::atomic<std::size_t> next{0};
    thread_local const std::size_t mine = next.fetch_add(1) % slot_count;
    return mine;
  }
  std::array<Slot, slot_count> slots_;
};

}  // namespace lamina::overlay
