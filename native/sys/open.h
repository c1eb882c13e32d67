// Opening files and directories. Every descriptor is close-on-exec. Calls interrupted by a signal are retried.
#pragma once

#include <sys/types.h>

#include <string_view>

#include "sys/file_descriptor.h"
#include "sys/result.h"

namespace lamina::sys {

// Opens `path` (relative to `root`, any length; "" is `root` itself) without ever following a symlink or leaving `root`
// (openat2(2): RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS, RESOLVE_NO_MAGICLINKS). ELOOP where a component is a symlink, the
// last one too unless `flags` hold O_PATH | O_NOFOLLOW.
Result<FileDescriptor> open_beneath(int root, std::string_view path, int flags, mode_t mode = 0);
// Opens `path` as if `root` were "/": symlinks and ".." stay inside (openat2(2): RESOLVE_IN_ROOT).
Result<FileDescriptor> open_in_root(int root, std::string_view path, int flags, mode_t mode = 0);
// Opens the child `name` (one component) of `directory` with O_NOFOLLOW. ELOOP for a symlink unless `flags` hold
// O_PATH.
Result<FileDescriptor> open_child(int directory, std::string_view name, int flags, mode_t mode = 0);
// Opens a path from the user, as open(2) does.
Result<FileDescriptor> open_path(std::string_view path, int flags, mode_t mode = 0);
// A new open file description of the file that `descriptor` (O_PATH too) refers to, through its /proc/self/fd link.
Result<FileDescriptor> reopen(int descriptor, int flags);
// A file without a name on the file system of `directory` (O_TMPFILE), open for reading and writing.
Result<FileDescriptor> open_unnamed(int directory, mode_t mode);
// fcntl(2): F_DUPFD_CLOEXEC
Result<FileDescriptor> duplicate(int descriptor);

// As open_beneath, open_child, but with O_NOATIME where permitted (to the owner of the file, or with CAP_FOWNER).
Result<FileDescriptor> open_beneath_noatime(int root, std::string_view path, int flags);
Result<FileDescriptor> open_child_noatime(int directory, std::string_view name, int flags);

enum class TreeAccess { read_only, read_write };

// A private, detached clone of the mount at directory `path`, without what is mounted below it: nothing mounted or
// unmounted later shows in it, it updates no access times, and with `read_only` it cannot be written (open_tree(2),
// mount_setattr(2)). The clone lives as long as descriptors that were opened through it. EPERM without CAP_SYS_ADMIN.
Result<FileDescriptor> clone_tree(std::string_view path, TreeAccess access);

}  // namespace lamina::sys
