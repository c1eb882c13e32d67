#include "sandbox/mounts.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/message.h"

namespace lamina::sandbox {

int new_mount(const char* type, const MountOptions& options, std::uint64_t attributes) {
  const std::string what = std::string("cannot make a file system of type ") + type;
  const int context = fsopen(type, FSOPEN_CLOEXEC);
  if (context < 0) fail(what);
  if (fsconfig(context, FSCONFIG_SET_STRING, "source", type, 0) != 0) fail(what);
  for (const auto& [name, value] : options) {
    const int done = value.empty() ? fsconfig(context, FSCONFIG_SET_FLAG, name.c_str(), nullptr, 0)
                                   : fsconfig(context, FSCONFIG_SET_STRING, name.c_str(), value.c_str(), 0);
    if (done != 0) fail(what + " with " + name + "=" + value);
  }
  if (fsconfig(context, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) fail(what);
  const int mount = fsmount(context, FSMOUNT_CLOEXEC, static_cast<unsigned>(attributes));
  if (mount < 0) fail(what);
  close(context);
  return mount;
}

int clone_of(int directory, const char* path, bool with_submounts) {
  const unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW |
                         (*path == '\0' ? AT_EMPTY_PATH : 0u) |
                         (with_submounts ? static_cast<unsigned>(AT_RECURSIVE) : 0u);
  const int mount = open_tree(directory, path, flags);
  if (mount < 0) fail(std::string("cannot take hold of ") + path);
  return mount;
}

void set_attributes(int mount, std::uint64_t attributes, bool with_submounts, const char* what) {
  mount_attr change = {};
  change.attr_set = attributes;
  const unsigned flags = AT_EMPTY_PATH | (with_submounts ? static_cast<unsigned>(AT_RECURSIVE) : 0u);
  if (mount_setattr(mount, "", flags, &change, sizeof change) != 0)
    fail(std::string("cannot protect the mount of ") + what);
}

bool map_owners(int mount, int user_namespace) {
  mount_attr change = {};
  change.attr_set = MOUNT_ATTR_IDMAP;
  change.userns_fd = static_cast<unsigned>(user_namespace);
  if (mount_setattr(mount, "", AT_EMPTY_PATH, &change, sizeof change) == 0) return true;
  if (errno != EINVAL) fail("cannot map the owners of the root");
  return false;
}

void attach(int mount, int place, const char* what) {
  if (move_mount(mount, "", place, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) != 0)
    fail(std::string("cannot mount ") + what);
}

int open_beneath(int directory, const std::string& path, int flags) {
  open_how how = {};
  how.flags = static_cast<unsigned>(flags) | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  return static_cast<int>(syscall(SYS_openat2, directory, path.c_str(), &how, sizeof how));
}

}  // namespace lamina::sandbox
