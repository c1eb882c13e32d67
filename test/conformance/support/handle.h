// File handles: name_to_handle_at(2) and open_by_handle_at(2).
#pragma once

#include <fcntl.h>

#include <string>

#include "support/files.h"
#include "support/path.h"

namespace conformance {

struct Handle {
  alignas(file_handle) char bytes[sizeof(file_handle) + MAX_HANDLE_SZ] = {};
  file_handle* get() { return reinterpret_cast<file_handle*>(bytes); }
  std::string text() { return {bytes, sizeof(file_handle) + get()->handle_bytes}; }
};

inline Handle handle_of(const Path& path) {
  Handle handle;
  handle.get()->handle_bytes = MAX_HANDLE_SZ;
  int mount_id = 0;
  require(::name_to_handle_at(AT_FDCWD, path, handle.get(), &mount_id, 0) == 0, "name_to_handle_at " + path.text());
  return handle;
}

// `mount`: any descriptor on the file system. Not valid, and errno set, where the handle leads nowhere.
inline FileDescriptor open_handle(int mount, Handle& handle, int flags) {
  return FileDescriptor(::open_by_handle_at(mount, handle.get(), flags | O_CLOEXEC));
}

}  // namespace conformance
