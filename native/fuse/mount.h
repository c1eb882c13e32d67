// Mounting and unmounting a FUSE file system: by mount(2) with the privilege for it, else through fusermount3.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "fuse/channel.h"
#include "sys/result.h"

namespace lamina::fuse {

struct MountOptions {
  std::string mountpoint;           // an absolute path of a directory
  int directory = -1;               // the same, open (O_PATH): what is mounted on, wherever the path leads now
  std::string source = "laminafs";  // fsname=
  std::string subtype = "laminafs";
  unsigned long flags = 0;     // MS_* of mount(2)
  std::string security;        // options for the kernel's security module, each after a comma: ",context=…"
  bool allow_other = true;     // users other than the mounting one may enter
  std::uint32_t max_read = 0;  // bytes a READ may ask for; 0: the kernel's limit
};

// Mounts and returns the channel to the kernel. On failure `explanation` gets one line for people.
sys::Result<Channel> mount(const MountOptions& options, std::string& explanation);
// Unmounts, at once from the mount tree, and from its users when they are done (MNT_DETACH). EINVAL where nothing is
// mounted.
sys::Status unmount(const std::string& mountpoint);

// Lets the kernel read at least so far ahead in a file of the mounted file system `device` that is read in order; its
// own is 128 KiB, and a mount cannot ask for more (process_init_reply() of fs/fuse/inode.c). EACCES or EROFS where the
// process may not.
sys::Status raise_read_ahead(std::uint64_t device, std::size_t kibibytes);

// Whether the kernel offers io_uring to new mounts (the module's parameter enable_uring; Linux 6.14).
bool ring_enabled();

// The option list for fusermount3 -o; commas and backslashes in values are escaped.
std::string helper_options(const MountOptions& options);

}  // namespace lamina::fuse
