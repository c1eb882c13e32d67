#include "addon/mounts.h"

#include <fcntl.h>
#include <sys/mount.h>

namespace lamina::addon {

using sys::last_error;
using sys::Result;
using sys::Status;

namespace {

Status configure(int context, unsigned command, const char* key, const void* value, int number) {
  if (::fsconfig(context, command, key, value, number) != 0) return last_error();
  return {};
}

Result<std::int64_t> descriptor_or_error(int descriptor) {
  if (descriptor < 0) return last_error();
  return std::int64_t{descriptor};
}

}  // namespace

Result<std::int64_t> open_file_system(const std::string& type) {
  return descriptor_or_error(::fsopen(type.c_str(), FSOPEN_CLOEXEC));
}

Result<std::int64_t> pick_file_system(int root) {
  return descriptor_or_error(::fspick(root, "", FSPICK_CLOEXEC | FSPICK_EMPTY_PATH | FSPICK_NO_AUTOMOUNT));
}

Status configure_flag(int context, const std::string& key) {
  return configure(context, FSCONFIG_SET_FLAG, key.c_str(), nullptr, 0);
}

Status configure_text(int context, const std::string& key, const std::string& value) {
  return configure(context, FSCONFIG_SET_STRING, key.c_str(), value.c_str(), 0);
}

Status configure_descriptor(int context, const std::string& key, int descriptor) {
  return configure(context, FSCONFIG_SET_FD, key.c_str(), nullptr, descriptor);
}

Status create_file_system(int context) { return configure(context, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0); }

Status reconfigure_file_system(int context) {
  return configure(context, FSCONFIG_CMD_RECONFIGURE, nullptr, nullptr, 0);
}

Result<std::int64_t> make_mount(int context, unsigned attributes) {
  return descriptor_or_error(::fsmount(context, FSMOUNT_CLOEXEC, attributes));
}

Status attach_mount(int mount, int directory) {
  if (::move_mount(mount, "", directory, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) != 0)
    return last_error();
  return {};
}

}  // namespace lamina::addon
