#include "sys/file_handle.h"

#include <fcntl.h>

#include <cstring>

#include "sys/retry.h"

namespace lamina::sys {

namespace {

// A struct file_handle with room for the longest.
class Room {
 public:
  Room() { handle()->handle_bytes = MAX_HANDLE_SZ; }
  file_handle* handle() { return reinterpret_cast<file_handle*>(bytes_); }
  [[nodiscard]] std::string text() { return {bytes_, sizeof(file_handle) + handle()->handle_bytes}; }
  bool take(const std::string& text) {
    if (text.size() < sizeof(file_handle) || text.size() > sizeof bytes_) return false;
    std::memcpy(bytes_, text.data(), text.size());
    return handle()->handle_bytes == text.size() - sizeof(file_handle);
  }

 private:
  alignas(file_handle) char bytes_[sizeof(file_handle) + MAX_HANDLE_SZ] = {};
};

}  // namespace

Result<std::string> file_handle_of(int descriptor) {
  Room room;
  int mount_id = 0;
  LAMINA_TRY(status_from([&] { return ::name_to_handle_at(descriptor, "", room.handle(), &mount_id, AT_EMPTY_PATH); }));
  return room.text();
}

Result<FileDescriptor> open_file_handle(int mount, const std::string& handle, int flags) {
  Room room;
  if (!room.take(handle)) return Errno{EINVAL};
  const int opened = retry([&] { return ::open_by_handle_at(mount, room.handle(), flags | O_CLOEXEC); });
  if (opened < 0) return last_error();
  return FileDescriptor(opened);
}

}  // namespace lamina::sys
