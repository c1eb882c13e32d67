#include "sys/readiness.h"

#include <sys/eventfd.h>

#include "sys/retry.h"

namespace lamina::sys {

Status wait_ready(std::span<pollfd> descriptors) {
  return status_from([&] { return ::poll(descriptors.data(), descriptors.size(), -1); });
}

Result<Wakeup> Wakeup::create() {
  FileDescriptor event(::eventfd(0, EFD_CLOEXEC));
  if (!event.valid()) return last_error();
  return Wakeup(std::move(event));
}

void Wakeup::wake() const { (void)::eventfd_write(event_.get(), 1); }  // fails only at 2^64 - 1 calls

}  // namespace lamina::sys
