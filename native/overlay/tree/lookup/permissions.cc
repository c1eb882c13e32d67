#include "overlay/tree/lookup/permissions.h"

namespace lamina::overlay {

using sys::Errno;

Status allow_write(const Inode& inode, bool appends) {
  const Protection protection = inode.protection.load(std::memory_order_relaxed);
  return protection.immutable || (protection.append_only && !appends) ? Status(Errno{EPERM}) : Status();
}

Status allow_change(const Inode& inode) {
  return inode.protection.load(std::memory_order_relaxed).any() ? Status(Errno{EPERM}) : Status();
}

Status allow_removal(const Inode& directory, const Found& found) {
  LAMINA_TRY(allow_change(directory));
  return found.protection().any() ? Status(Errno{EPERM}) : Status();
}

}  // namespace lamina::overlay
