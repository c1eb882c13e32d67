#include "overlay/layers/whiteout_files.h"

#include <fcntl.h>

#include "sys/open.h"
#include "sys/status.h"

namespace lamina::overlay {

namespace {

constexpr std::string_view opaque_file = ".wh..wh..opq";

sys::Result<bool> exists(int directory, std::string_view name) {
  const auto status = sys::status_at(directory, name);
  if (status) return true;
  // No file has so long a name.
  if (status.failed_with(ENOENT) || status.failed_with(ENAMETOOLONG)) return false;
  return status.error();
}

}  // namespace

std::string whiteout_file_of(std::string_view name) {
  std::string file(whiteout_file_prefix);
  file += name;
  return file;
}

sys::Result<bool> has_whiteout_file(int directory, std::string_view name) {
  return exists(directory, whiteout_file_of(name));
}

sys::Result<bool> has_opaque_file(int directory, std::string_view name) {
  if (name.empty()) return exists(directory, opaque_file);
  LAMINA_ASSIGN(const sys::FileDescriptor child, sys::open_child(directory, name, O_PATH | O_DIRECTORY));
  return exists(child.get(), opaque_file);
}

}  // namespace lamina::overlay
