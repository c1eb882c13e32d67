// The kernel's mount calls of Linux 5.2, by descriptors: fsopen(2), fspick(2), fsconfig(2), fsmount(2), move_mount(2).
#pragma once

#include <cstdint>
#include <string>

#include "sys/result.h"

namespace lamina::addon {

// A context in which a file system of this type is configured; closed by the caller, as all descriptors here.
sys::Result<std::int64_t> open_file_system(const std::string& type);
// A context that reconfigures the file system of the mount whose root is open.
sys::Result<std::int64_t> pick_file_system(int root);

// Keys and values of fsconfig(2). A text value has at most 255 bytes.
sys::Status configure_flag(int context, const std::string& key);
sys::Status configure_text(int context, const std::string& key, const std::string& value);
// Linux 6.13 for the layers of overlayfs: EINVAL before.
sys::Status configure_descriptor(int context, const std::string& key, int descriptor);
sys::Status create_file_system(int context);
sys::Status reconfigure_file_system(int context);

// The mount of a file system that was created, not attached to anything. Attributes: MOUNT_ATTR_*.
sys::Result<std::int64_t> make_mount(int context, unsigned attributes);
// Attaches it to a directory that is open.
sys::Status attach_mount(int mount, int directory);

}  // namespace lamina::addon
