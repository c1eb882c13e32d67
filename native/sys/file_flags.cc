#include "sys/file_flags.h"

#include <sys/ioctl.h>

#include "sys/retry.h"

namespace lamina::sys {

// Despite its definition the call uses an int.
Result<std::uint32_t> file_flags(int descriptor) {
  unsigned flags = 0;
  LAMINA_TRY(status_from([&] { return ::ioctl(descriptor, FS_IOC_GETFLAGS, &flags); }));
  return std::uint32_t{flags};
}

Status set_file_flags(int descriptor, std::uint32_t flags) {
  return status_from([&] { return ::ioctl(descriptor, FS_IOC_SETFLAGS, &flags); });
}

Result<fsxattr> extended_file_flags(int descriptor) {
  fsxattr flags = {};
  LAMINA_TRY(status_from([&] { return ::ioctl(descriptor, FS_IOC_FSGETXATTR, &flags); }));
  return flags;
}

Status set_extended_file_flags(int descriptor, const fsxattr& flags) {
  return status_from([&] { return ::ioctl(descriptor, FS_IOC_FSSETXATTR, &flags); });
}

}  // namespace lamina::sys
