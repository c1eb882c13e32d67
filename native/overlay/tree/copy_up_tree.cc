// Copy-up of a whole directory, so that it can be renamed without a redirect.
#include <fcntl.h>
#include <sys/stat.h>

#include <mutex>

#include "overlay/tree/overlay.h"
#include "sys/directory.h"
#include "sys/names.h"
#include "sys/open.h"

namespace lamina::overlay {

// All below a directory, so that it can be renamed without a redirect.
Status Overlay::copy_up_tree(const InodeRef& directory, const Interrupted& interrupted) {
  LAMINA_TRY(copy_up(directory, CopyUp::data, interrupted));
  LAMINA_ASSIGN(const ListingRef names, list_inode(*directory));
  for (const DirectoryEntry& each : *names) {
    LAMINA_ASSIGN(const Found found, find(*directory, each.name));
    if (!found.visible()) continue;
    LAMINA_ASSIGN(const InodeRef child, intern(directory, each.name, found));
    const Status copied = child->is_directory() ? copy_up_tree(child, interrupted)
                                                : copy_up_name(directory, each.name, child, CopyUp::data, interrupted);
    table_.forget(child->id, 1);
    LAMINA_TRY(copied);
  }
  LAMINA_ASSIGN(const RealFileRef place, upper_directory(*directory));
  LAMINA_TRY(upper_files_.set_mark({place->descriptor(), ""}, marks_.opaque, opaque_value));
  LAMINA_ASSIGN(const sys::FileStatus before, sys::status_of(place->descriptor()));
  LAMINA_TRY(upper_files_.drop_whiteouts(place->descriptor()));
  LAMINA_TRY(
      sys::change_times(place->descriptor(), "", sys::TimeChange::to(before.atime), sys::TimeChange::to(before.mtime)));
  std::lock_guard lock(directory->mutex);
  directory->lowers.clear();
  directory->directory().lower_children.reset();
  directory->directory().listing.reset();
  return {};
}

}  // namespace lamina::overlay
