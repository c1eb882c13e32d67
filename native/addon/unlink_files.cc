// All but the directories of a directory removed in one call: what a call from JavaScript costs is more than unlinking a file
// does.
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "addon/syscalls.h"

namespace lamina::addon {

using sys::last_error;
using sys::Result;

namespace {

struct Name {
  ino_t ino = 0;
  std::string name;
  bool directory = false;
};

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

using Directory = std::unique_ptr<DIR, CloseDirectory>;

Result<std::vector<Name>> names_in(DIR* directory) {
  std::vector<Name> names;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(directory);
    if (entry == nullptr && errno != 0) return last_error();
    if (entry == nullptr) return names;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.push_back({entry->d_ino, std::string(name), entry->d_type == DT_DIR});
  }
}

}  // namespace

Result<std::string> unlink_files(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (descriptor < 0) return last_error();
  const Directory directory(::fdopendir(descriptor));
  if (directory == nullptr) {
    const auto error = last_error();
    ::close(descriptor);
    return error;
  }
  // All names first: what readdir(3) gives after a removal is not told.
  LAMINA_ASSIGN(auto names, names_in(directory.get()));
  // In the order in which inodes lie on the disk.
  std::sort(names.begin(), names.end(), [](const Name& a, const Name& b) { return a.ino < b.ino; });
  std::string left;
  for (const auto& [ino, name, is_directory] : names) {
    // Where the file system tells no types, unlink(2) does: EISDIR.
    if (!is_directory && ::unlinkat(descriptor, name.c_str(), 0) == 0) continue;
    if (!is_directory && errno != EISDIR) return last_error();
    left.append(name).push_back('\0');
  }
  return left;
}

}  // namespace lamina::addon
