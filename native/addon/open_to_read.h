#pragma once

#include <fcntl.h>

#include "sys/file_descriptor.h"
#include "sys/result.h"

namespace lamina::addon {

// O_NONBLOCK: opening must not block on a FIFO in the place of a file. Only the owner may use O_NOATIME (open(2)).
inline sys::Result<sys::FileDescriptor> open_to_read(const char* path) {
  constexpr int flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
  int descriptor = ::open(path, flags | O_NOATIME);
  if (descriptor < 0 && errno == EPERM) descriptor = ::open(path, flags);
  if (descriptor < 0) return sys::last_error();
  return sys::FileDescriptor(descriptor);
}

}  // namespace lamina::addon
