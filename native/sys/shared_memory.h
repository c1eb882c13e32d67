// Memory that a process shares with those it forks: what one of them writes, all see, and it is there after the writer's death.
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

  // `size` bytes of address space, all zero; each page is taken when it is first touched. Less, but a 64th at least, where the
  // process may not have so much (RLIMIT_AS).
  static Result<SharedMemory> reserve(std::size_t size);
  [[nodiscard]] std::span<std::byte> bytes() const { return bytes_; }
  // Frees whole pages, which are zero afterwards.
  static void give_back(std::span<std::byte> pages);

 private:
  explicit SharedMemory(std::span<std::byte> bytes) : bytes_(bytes) {}
  std::span<std::byte> bytes_;
};

}  // namespace lamina::sys
