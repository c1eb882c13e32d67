// Which extended attributes keep the marks of a mount.
#pragma once

#include "daemon/options.h"

namespace lamina::daemon {

// trusted.overlay.* where this process may set them, and userxattr does not want otherwise; user.overlay.* else: in a
// user namespace, as rootless engines mount, and for a user other than root.
void choose_marks(DaemonOptions& options);

}  // namespace lamina::daemon
