// Which request each worker handles, so that INTERRUPT finds it.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace lamina::server {

class InFlight {
 public:
  explicit InFlight(std::size_t workers) : slots_(workers) {}

  void begin(std::size_t worker, std::uint64_t unique) {
    Slot& slot = slots_[worker];
    slot.given_up.store(false, std::memory_order_relaxed);
    slot.unique.store(unique);
    // Either this load sees an interrupt that came first, or its sender sees the slot.
    if (early_count_.load() != 0) take_early(slot, unique);
  }
  void end(std::size_t worker) { slots_[worker].unique.store(0, std::memory_order_release); }

  // True once the result of the worker is not awaited any more.
  [[nodiscard]] const std::atomic<bool>& given_up(std::size_t worker) const { return slots_[worker].given_up; }

  // The client has cancelled the request. The interrupt of one that was read and has not begun is kept; an answered one
  // is ignored.
  void interrupt(std::uint64_t unique) {
    if (mark(unique)) return;
    std::atomic<std::uint64_t>& place = early_[next_early_.fetch_add(1) % early_.size()];
    if (place.exchange(unique) == 0) early_count_.fetch_add(1);
    mark(unique);
  }

 private:
  struct alignas(64) Slot {
    std::atomic<std::uint64_t> unique{0};
    std::atomic<bool> given_up{false};
  };

  bool mark(std::uint64_t unique) {
    for (Slot& slot : slots_) {
      if (slot.unique.load() != unique) continue;
      slot.given_up.store(true, std::memory_order_relaxed);
      return true;
    }
    return false;
  }

  void take_early(Slot& slot, std::uint64_t unique) {
    for (std::atomic<std::uint64_t>& place : early_) {
      std::uint64_t expected = unique;
      if (!place.compare_exchange_strong(expected, 0)) continue;
      early_count_.fetch_sub(1);
      slot.given_up.store(true, std::memory_order_relaxed);
    }
  }

  std::vector<Slot> slots_;
  // Interrupts of requests that no worker handled. Late ones stay until others replace them.
  std::array<std::atomic<std::uint64_t>, 16> early_{};
  std::atomic<std::size_t> next_early_{0}, early_count_{0};
};

}  // namespace lamina::server
