// Mounts, in this mount namespace and in others (proc_pid_mountinfo(5), the kernel's mount API).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sys/file_descriptor.h"
#include "sys/result.h"

namespace lamina::sys {

struct MountEntry {
  std::uint64_t device = 0;      // makedev(3): the same for all mounts of one file system
  std::string root, mountpoint;  // the directory of the file system that is mounted, and where, as the process sees it
  std::string type, source;
};
// The mounts that a process sees; `process`: a number, or "self". ENOENT, ESRCH, EINVAL where it has ended.
Result<std::vector<MountEntry>> mounts_of(std::string_view process);
// The lines of a mountinfo file; those that are malformed are left out.
std::vector<MountEntry> parse_mounts(std::string_view text);

// A process of each mount namespace but our own, as far as we may read /proc.
Result<std::vector<std::int32_t>> other_mount_namespaces();

// A clone of the mount of file system `device` that process `pid` sees at `mountpoint`, with nothing below it
// (setns(2), open_tree(2)). Not yet attached; the file system lives as long as the descriptor. ENOENT where it was
// replaced meanwhile. The process must have one thread.
Result<FileDescriptor> clone_mount_of(std::int32_t pid, const std::string& mountpoint, std::uint64_t device);
// Attaches such a clone to a directory, private, with the per-mount MS_* flags of mount(2) (mount_setattr(2),
// move_mount(2)).
Status attach_mount(int clone, const std::string& mountpoint, unsigned long flags);
// Whether a directory is reached through an idmapped mount (mount_setattr(2), MOUNT_ATTR_IDMAP), which shows other
// owners than are on disk. False where the kernel does not say: before Linux 5.12 there is none.
Result<bool> is_idmapped(const std::string& directory);
// The same, by a mountinfo file and the number of the mount.
[[nodiscard]] bool lists_idmapped(std::string_view text, std::uint64_t mount_id);
// The file system that is mounted at a path, without a request to its server (statx(2), AT_STATX_DONT_SYNC).
Result<std::uint64_t> device_at(const std::string& path);

}  // namespace lamina::sys
