// All but the directories of a directory removed in one call, or all that is below it: a call from JavaScript costs
// more than unlinking a file.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "addon/syscalls.h"
#include "sys/file_descriptor.h"

namespace lamina::addon {

using sys::FileDescriptor;
using sys::last_error;
using sys::Result;
using sys::Status;

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

Result<FileDescriptor> open_directory(int at, const char* name) {
  const int descriptor = ::openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (descriptor < 0) return last_error();
  return FileDescriptor(descriptor);
}

// Unlinks everything but directories; returns the names of the directories.
Result<std::vector<std::string>> unlink_files_in(int descriptor) {
  LAMINA_ASSIGN(FileDescriptor again, open_directory(descriptor, "."));
  const Directory directory(::fdopendir(again.get()));
  if (directory == nullptr) return last_error();
  (void)again.release();  // closedir(3) closes it
  // Reads all names first: the results of readdir(3) after a removal are unspecified.
  LAMINA_ASSIGN(auto names, names_in(directory.get()));
  // In the order in which inodes lie on the disk.
  std::sort(names.begin(), names.end(), [](const Name& a, const Name& b) { return a.ino < b.ino; });
  std::vector<std::string> left;
  for (auto& [ino, name, is_directory] : names) {
    // Where the file system reports no types, unlink(2) detects directories: EISDIR.
    if (!is_directory && ::unlinkat(descriptor, name.c_str(), 0) == 0) continue;
    if (!is_directory && errno != EISDIR) return last_error();
    left.push_back(std::move(name));
  }
  return left;
}

// A directory on the way down, and what is left to do in it.
struct Level {
  dev_t device = 0;
  ino_t ino = 0;
  std::vector<std::string> directories;
};

// Makes it writable for its owner, and unlinks the files in it.
Result<Level> enter(int descriptor) {
  struct stat64 status {};
  if (::fstat64(descriptor, &status) != 0) return last_error();
  if ((status.st_mode & 0700U) != 0700U && ::fchmod(descriptor, 0700) != 0) return last_error();
  Level level{.device = status.st_dev, .ino = status.st_ino, .directories = {}};
  LAMINA_ASSIGN(level.directories, unlink_files_in(descriptor));
  return level;
}

Result<FileDescriptor> open_child(int parent, const std::string& name) {
  auto opened = open_directory(parent, name.c_str());
  if (!opened.failed_with(EACCES)) return opened;
  // Its owner may not read it. It is a directory: a symlink would have failed with ELOOP.
  if (::fchmodat(parent, name.c_str(), 0700, 0) != 0) return last_error();
  return open_directory(parent, name.c_str());
}

// The directory above, which must be the one descended from: the caller ensures that no directory moves meanwhile.
Result<FileDescriptor> open_parent(int descriptor, const Level& expected) {
  LAMINA_ASSIGN(FileDescriptor parent, open_directory(descriptor, ".."));
  struct stat64 status {};
  if (::fstat64(parent.get(), &status) != 0) return last_error();
  if (status.st_dev != expected.device || status.st_ino != expected.ino) return sys::Errno{ESTALE};
  return parent;
}

}  // namespace

Result<std::string> unlink_files(const std::string& path) {
  LAMINA_ASSIGN(const FileDescriptor directory, open_directory(AT_FDCWD, path.c_str()));
  LAMINA_ASSIGN(const auto names, unlink_files_in(directory.get()));
  std::string left;
  for (const auto& name : names) left.append(name).push_back('\0');
  return left;
}

// Goes down by names and up by "..": neither the length of paths nor the number of open descriptors grows with the
// depth.
Status remove_below(const std::string& path) {
  LAMINA_ASSIGN(FileDescriptor here, open_child(AT_FDCWD, path));
  std::vector<Level> levels;
  std::vector<std::string> names;
  LAMINA_ASSIGN(Level first, enter(here.get()));
  levels.push_back(std::move(first));
  for (;;) {
    auto& directories = levels.back().directories;
    if (!directories.empty()) {
      names.push_back(std::move(directories.back()));
      directories.pop_back();
      LAMINA_ASSIGN(FileDescriptor child, open_child(here.get(), names.back()));
      LAMINA_ASSIGN(Level level, enter(child.get()));
      levels.push_back(std::move(level));
      here = std::move(child);
      continue;
    }
    levels.pop_back();
    if (levels.empty()) return {};
    LAMINA_ASSIGN(FileDescriptor parent, open_parent(here.get(), levels.back()));
    here = std::move(parent);
    if (::unlinkat(here.get(), names.back().c_str(), AT_REMOVEDIR) != 0) return last_error();
    names.pop_back();
  }
}

}  // namespace lamina::addon
