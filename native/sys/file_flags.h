// The flags of chattr(1), as in FS_IOC_GETFLAGS and FS_IOC_FSGETXATTR (ioctl_iflags(2)). ENOTTY or EOPNOTSUPP where the
// file system has none.
#pragma once

#include <linux/fs.h>

#include <cstdint>

#include "sys/result.h"

namespace lamina::sys {

// `descriptor`: not O_PATH.
Result<std::uint32_t> file_flags(int descriptor);
Status set_file_flags(int descriptor, std::uint32_t flags);
Result<fsxattr> extended_file_flags(int descriptor);
Status set_extended_file_flags(int descriptor, const fsxattr& flags);

}  // namespace lamina::sys
