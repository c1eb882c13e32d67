// Mounts that have no place yet, held by descriptors: what is mounted where is decided by what was opened, never by a path that
// somebody could change meanwhile.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace lamina::sandbox {

using MountOptions = std::vector<std::pair<std::string, std::string>>;

// A new file system of its own. @param attributes MOUNT_ATTR_… of mount_setattr(2)
int new_mount(const char* type, const MountOptions& options, std::uint64_t attributes);

// What is at a path, as a mount of its own. @param with_submounts and what is mounted below it
int clone_of(int directory, const char* path, bool with_submounts);

// Shows the files of a mount that is nowhere yet to a user namespace with the owners that they have on disk. False where the
// kernel or the file system cannot (mount_setattr(2), "ID-mapped mounts").
bool map_owners(int mount, int user_namespace);

void set_attributes(int mount, std::uint64_t attributes, bool with_submounts, const char* what);

// Puts a mount at what is open, and closes neither.
void attach(int mount, int place, const char* what);

// Opens a name below an open directory, of which no component may be a symlink or lead out. Gives -1 and errno.
int open_beneath(int directory, const std::string& path, int flags);

}  // namespace lamina::sandbox
