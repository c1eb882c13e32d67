// What "immutable" and "append only" forbid (chattr(1)): EPERM.
#pragma once

#include "overlay/inodes/inode.h"
#include "overlay/tree/lookup/found.h"

namespace lamina::overlay {

[[nodiscard]] sys::Status allow_write(const Inode& inode, bool appends);
// For a change to the inode as a whole: another name, another attribute, its removal.
[[nodiscard]] sys::Status allow_change(const Inode& inode);
// Whether a name of the directory may be removed (may_delete of the kernel).
[[nodiscard]] sys::Status allow_removal(const Inode& directory, const Found& found);

}  // namespace lamina::overlay
