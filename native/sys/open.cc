#include "sys/open.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/syscall.h>

#include <array>
#include <cstdio>

#include "sys/c_string.h"
#include "sys/retry.h"

namespace lamina::sys {

namespace {

// The longest piece of a path that is passed to the kernel at once.
constexpr std::size_t longest_piece = PATH_MAX - 1;

Result<FileDescriptor> adopt(int descriptor) {
  if (descriptor < 0) return last_error();
  return FileDescriptor(descriptor);
}

// openat2(2) answers EAGAIN where a concurrent rename prevented the check that the path stays beneath.
Result<FileDescriptor> call_openat2(int root, std::string_view path, int flags, mode_t mode, std::uint64_t resolve) {
  const CString name(path.empty() ? "." : path);
  LAMINA_TRY(name.check());
  open_how how = {};
  how.flags = static_cast<decltype(how.flags)>(flags | O_CLOEXEC);
  how.mode = mode;
  how.resolve = resolve;
  long descriptor = -1;
  do {
    descriptor = retry([&] { return ::syscall(SYS_openat2, root, name.get(), &how, sizeof(how)); });
  } while (descriptor < 0 && errno == EAGAIN);
  return adopt(static_cast<int>(descriptor));
}

// The first piece of `path` that the kernel accepts, up to a slash; npos where there is none: a component is too long.
std::size_t piece_end(std::string_view path) { return path.rfind('/', longest_piece); }

std::array<char, 32> descriptor_link(int descriptor) {
  std::array<char, 32> path = {};
  (void)std::snprintf(path.data(), path.size(), "/proc/self/fd/%d", descriptor);
  return path;
}

// O_NOATIME is for the owner only; others read without it.
template <typename Open>
Result<FileDescriptor> with_noatime(int flags, Open open) {
  if ((flags & O_PATH) != 0) return open(flags);
  auto opened = open(flags | O_NOATIME);
  return opened.failed_with(EPERM) ? open(flags) : std::move(opened);
}

}  // namespace

Result<FileDescriptor> open_beneath(int root, std::string_view path, int flags, mode_t mode) {
  constexpr std::uint64_t resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  FileDescriptor directory;
  while (path.size() > longest_piece) {
    const std::size_t end = piece_end(path);
    if (end == std::string_view::npos || end == 0) return Errno{ENAMETOOLONG};
    const int from = directory.valid() ? directory.get() : root;
    LAMINA_ASSIGN(directory, call_openat2(from, path.substr(0, end), O_PATH | O_DIRECTORY, 0, resolve));
    path.remove_prefix(end);
    path.remove_prefix(std::min(path.find_first_not_of('/'), path.size()));
  }
  return call_openat2(directory.valid() ? directory.get() : root, path, flags, mode, resolve);
}

Result<FileDescriptor> open_in_root(int root, std::string_view path, int flags, mode_t mode) {
  return call_openat2(root, path, flags, mode, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

Result<FileDescriptor> open_child(int directory, std::string_view name, int flags, mode_t mode) {
  const Name child(name);
  LAMINA_TRY(child.check());
  return adopt(retry([&] { return ::openat(directory, child.get(), flags | O_NOFOLLOW | O_CLOEXEC, mode); }));
}

Result<FileDescriptor> open_path(std::string_view path, int flags, mode_t mode) {
  const CString name(path);
  LAMINA_TRY(name.check());
  return adopt(retry([&] { return ::open(name.get(), flags | O_CLOEXEC, mode); }));
}

Result<FileDescriptor> reopen(int descriptor, int flags) {
  return adopt(retry([&] { return ::open(descriptor_link(descriptor).data(), flags | O_CLOEXEC); }));
}

Result<FileDescriptor> open_unnamed(int directory, mode_t mode) {
  return adopt(retry([&] { return ::openat(directory, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, mode); }));
}

Result<FileDescriptor> duplicate(int descriptor) { return adopt(::fcntl(descriptor, F_DUPFD_CLOEXEC, 0)); }

Result<FileDescriptor> open_beneath_noatime(int root, std::string_view path, int flags) {
  return with_noatime(flags, [&](int wanted) { return open_beneath(root, path, wanted); });
}

Result<FileDescriptor> open_child_noatime(int directory, std::string_view name, int flags) {
  return with_noatime(flags, [&](int wanted) { return open_child(directory, name, wanted); });
}

Result<FileDescriptor> clone_tree(std::string_view path, TreeAccess access) {
  const CString name(path);
  LAMINA_TRY(name.check());
  LAMINA_ASSIGN(FileDescriptor tree, adopt(::open_tree(AT_FDCWD, name.get(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC)));
  mount_attr attributes = {};
  // Private: later mounts on the original must not propagate.
  attributes.propagation = MS_PRIVATE;
  if (access == TreeAccess::read_only) attributes.attr_set = MOUNT_ATTR_RDONLY;
  if (::mount_setattr(tree.get(), "", AT_EMPTY_PATH, &attributes, sizeof(attributes)) != 0) return last_error();
  attributes.attr_set = MOUNT_ATTR_NOATIME;
  attributes.attr_clr = MOUNT_ATTR__ATIME;
  attributes.propagation = 0;
  // A user namespace may be denied the change of the access time (mount_setattr(2), EPERM): only access times differ
  // then.
  const bool locked = ::mount_setattr(tree.get(), "", AT_EMPTY_PATH, &attributes, sizeof(attributes)) != 0;
  if (locked && errno != EPERM) return last_error();
  return tree;
}

}  // namespace lamina::sys
