// context=, fscontext=, defcontext= and rootcontext= where the kernel has no SELinux: fuse-overlayfs passes them over.
#pragma once

#include <string_view>

#include "daemon/options.h"

namespace lamina::daemon {

// Whether the text of /proc/filesystems is of a kernel with SELinux.
[[nodiscard]] bool lists_selinux(std::string_view filesystems);

// Leaves the contexts out, with a warning, where this kernel has no SELinux.
void settle_contexts(DaemonOptions& options);

}  // namespace lamina::daemon
