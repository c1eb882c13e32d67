// Reading of many files begun in one call: a call from JavaScript costs more than opening a small file.
#include <fcntl.h>

#include <algorithm>

#include "addon/open_to_read.h"
#include "addon/syscalls.h"

namespace lamina::addon {

std::int64_t read_ahead(std::string_view paths, std::int64_t most) {
  std::int64_t begun = 0;
  while (!paths.empty()) {
    const std::size_t end = std::min(paths.find('\0'), paths.size());
    const auto file = open_to_read(std::string(paths.substr(0, end)).c_str());
    if (file.ok() && ::posix_fadvise(file->get(), 0, most, POSIX_FADV_WILLNEED) == 0) ++begun;
    paths.remove_prefix(std::min(end + 1, paths.size()));
  }
  return begun;
}

}  // namespace lamina::addon
