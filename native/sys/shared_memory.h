// Memory that a process shares with those it forks: writes of one are visible to all, and survive the writer's death.
#pragma once

#include <cstddef>
#include <span>
#include <utility>

#include "sys/result.h"

namespace lamina::sys {

class SharedMemory {
 public:
  SharedMemory() = default;
  SharedMemory(SharedMemory&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  SharedMemory& operator=(SharedMemory&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~SharedMemory();

  // `size` bytes of address space, all zero; each page is allocated when it is first touched. Less, but at least a
  // 64th, where the process may not have so much (RLIMIT_AS).
  static Result<SharedMemory> reserve(std::size_t size);
  [[nodiscard]] std::span<std::byte> bytes() const { return bytes_; }
  // Frees whole pages, which are zero afterwards.
  static void give_back(std::span<std::byte> pages);

 private:
  explicit SharedMemory(std::span<std::byte> bytes) : bytes_(bytes) {}
  std::span<std::byte> bytes_;
};

}  // namespace lamina::sys
