// A mutex of four bytes, where there is one in each of very many objects. std::mutex takes 40.
#pragma once

#include <atomic>
#include <cstdint>

namespace lamina::sys {

// Neither recursive nor fair. Satisfies the requirements of std::lock_guard.
class SmallMutex {
 public:
  void lock() {
    std::uint32_t seen = open;
    if (state_.compare_exchange_strong(seen, held, std::memory_order_acquire)) return;
    // A thread that has waited leaves it contended, since others may still wait.
    while (state_.exchange(contended, std::memory_order_acquire) != open)
      state_.wait(contended, std::memory_order_relaxed);
  }
  bool try_lock() {
    std::uint32_t seen = open;
    return state_.compare_exchange_strong(seen, held, std::memory_order_acquire);
  }
  void unlock() {
    if (state_.exchange(open, std::memory_order_release) == contended) state_.notify_one();
  }

 private:
  static constexpr std::uint32_t open = 0, held = 1, contended = 2;
  std::atomic<std::uint32_t> state_{open};
};
static_assert(sizeof(SmallMutex) == 4);

}  // namespace lamina::sys
