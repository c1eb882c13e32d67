// Mounting and unmounting a FUSE file system: by mount(2) with the privilege for it, else through fusermount3.
#pragma once

#include <string>

#include "fuse/channel.h"
#include "sys/result.h"

namespace lamina::fuse {

struct MountOptions {
  std::string mountpoint;           // an absolute path
  std::string source = "laminafs";  // fsname=
  std::string subtype = "laminafs";
  unsigned long flags = 0;  // MS_* of mount(2)
  bool allow_other = true;
};

// Mounts and gives the way to the kernel. On failure `explanation` gets one line for a person.
sys::Result<Channel> mount(const MountOptions& options, std::string& explanation);
// Takes the mount away, at once from the name space, from its users when they are done (MNT_DETACH).
sys::Status unmount(const std::string& mountpoint);

}  // namespace lamina::fuse
