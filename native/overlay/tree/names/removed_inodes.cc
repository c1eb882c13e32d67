#include "overlay/tree/names/removed_inodes.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <memory>
#include <mutex>

#include "sys/open.h"

namespace lamina::overlay {

using sys::Errno;

Result<InodeRef> RemovedInodes::pin(const InodeRef& parent, std::string_view name, const Found& found) {
  LAMINA_ASSIGN(const InodeKey key, keys_.of(found));
  InodeRef victim = table_.find(key);
  const bool others = found.type() != S_IFDIR && found.links() > 1;
  if (!others) table_.forget_permanently(key);
  if (!victim) return victim;
  LAMINA_TRY(restored_.resolve(victim));
  {
    std::lock_guard lock(victim->mutex);
    victim->other_names = others;
    if (!victim->has_upper || victim->pinned() || victim->parent != parent || victim->name() != name) return victim;
    const RealFileRef open = victim->metacopy ? nullptr : open_files_.get(victim->id);
    if (open) {
      victim->pin(open);
      return victim;
    }
  }
  LAMINA_ASSIGN(const RealFileRef place, places_.directory(*parent));
  LAMINA_ASSIGN(sys::FileDescriptor opened, sys::open_child(place->descriptor(), name, O_PATH | O_NOFOLLOW));
  std::lock_guard lock(victim->mutex);
  victim->pin(std::make_shared<const RealFile>(opened.release()));
  return victim;
}

void RemovedInodes::unlinked(const InodeRef& victim, const InodeRef& parent, std::string_view name) {
  groups_.names_have_changed();
  if (!victim) return;
  std::lock_guard lock(victim->mutex);
  if (victim->is_directory()) {
    victim->directory().listing.removed();
  }
  if (victim->parent != parent || victim->name() != name) return;
  victim->unlink();
  if (victim->has_upper || victim->lowers.empty()) return;
  const LowerPlace& place = victim->lowers.front();
  // What has an index is found again by its number.
  const auto path =
      lowers_.of(place).indexed() ? Result<std::string>(Errno{ENODATA}) : lowers_.of(place).path(place.reference);
  if (path) table_.keep_lower_path(*victim, *path);
}

}  // namespace lamina::overlay
