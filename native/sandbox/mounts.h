// Mounts that are not attached yet, held by descriptors: an open descriptor decides where something is mounted, never a
// path that could change meanwhile.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace lamina::sandbox {

using MountOptions = std::vector<std::pair<std::string, std::string>>;

// A new file system of its own. @param attributes MOUNT_ATTR_… of mount_setattr(2)
int new_mount(const char* type, const MountOptions& options, std::uint64_t attributes);

// A detached mount of what is at a path. @param with_submounts includes the mounts below it
int clone_of(int directory, const char* path, bool with_submounts);

// Shows the files of a detached mount to a user namespace with the owners that they have on disk. False where the
// kernel or the file system cannot (mount_setattr(2), "ID-mapped mounts").
bool map_owners(int mount, int user_namespace);

void set_attributes(int mount, std::uint64_t attributes, bool with_submounts, const char* what);

// Attaches a mount at an open file, and closes neither.
void attach(int mount, int place, const char* what);

// Opens a name below an open directory, of which no component may be a symlink or lead out. Returns -1 and sets errno
// on failure.
int open_beneath(int directory, const std::string& path, int flags);

}  // namespace lamina::sandbox
