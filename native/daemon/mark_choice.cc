#include "daemon/mark_choice.h"

#include "sys/xattrs.h"

namespace lamina::daemon {

void choose_marks(DaemonOptions& options) {
  if (!options.overlay.user_xattr) options.overlay.user_xattr = !sys::may_set_trusted_xattrs();
}

}  // namespace lamina::daemon
