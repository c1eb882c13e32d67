#include "sys/shared_memory.h"

#include <sys/mman.h>

#include <cstring>

namespace lamina::sys {

SharedMemory::~SharedMemory() {
  if (!bytes_.empty()) ::munmap(bytes_.data(), bytes_.size());
}

Result<SharedMemory> SharedMemory::reserve(std::size_t size) {
  constexpr std::size_t smallest_part = 64;
  for (std::size_t part = size; part >= size / smallest_part && part > 0; part /= 2) {
    void* memory = ::mmap(nullptr, part, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory != MAP_FAILED) return SharedMemory({static_cast<std::byte*>(memory), part});
    if (errno != ENOMEM) return last_error();
  }
  return Errno{ENOMEM};
}

void SharedMemory::give_back(std::span<std::byte> pages) {
  // EINVAL for locked memory (mlockall(2)), which stays and must be zeroed anyway.
  if (::madvise(pages.data(), pages.size(), MADV_REMOVE) != 0) std::memset(pages.data(), 0, pages.size());
}

}  // namespace lamina::sys
