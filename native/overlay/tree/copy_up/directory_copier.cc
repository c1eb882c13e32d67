#include "overlay/tree/copy_up/directory_copier.h"

#include <sys/stat.h>

#include <mutex>
#include <string>
#include <vector>

#include "sys/directory.h"
#include "sys/names.h"
#include "sys/open.h"

namespace lamina::overlay {

Status DirectoryCopier::copy_up_tree(const InodeRef& directory, const Interrupted& interrupted) {
  LAMINA_TRY(copier_.copy_up(directory, CopyUp::data, interrupted));
  LAMINA_ASSIGN(const ListingRef names, listings_.of(*directory));
  for (const DirectoryEntry& each : *names) {
    LAMINA_ASSIGN(const Found found, names_.find(*directory, each.name));
    if (!found.visible()) continue;
    LAMINA_ASSIGN(const InodeRef child, resolver_.intern(directory, each.name, found));
    const Status copied = child->is_directory()
                              ? copy_up_tree(child, interrupted)
                              : copier_.copy_up_name(directory, each.name, child, CopyUp::data, interrupted);
    table_.forget(child->id, 1);
    LAMINA_TRY(copied);
  }
  LAMINA_ASSIGN(const RealFileRef place, places_.directory(*directory));
  LAMINA_TRY(upper_files_.set_mark({place->descriptor(), ""}, marks_.opaque, opaque_value));
  LAMINA_ASSIGN(const sys::FileStatus before, sys::status_of(place->descriptor()));
  LAMINA_TRY(upper_files_.drop_whiteouts(place->descriptor()));
  LAMINA_TRY(
      sys::change_times(place->descriptor(), "", sys::TimeChange::to(before.atime), sys::TimeChange::to(before.mtime)));
  std::lock_guard lock(directory->mutex);
  directory->lowers.clear();
  directory->directory().lower_children.reset();
  directory->directory().listing.forget();
  return {};
}

Status DirectoryCopier::copy_up_links_below(const InodeRef& directory, const Interrupted& interrupted) {
  std::vector<LowerPlace> places;
  {
    std::lock_guard lock(directory->mutex);
    places = directory->lowers;
  }
  LAMINA_ASSIGN(const std::string above, UpperPlaces::path_of(*directory));
  for (const LowerPlace& place : places) {
    LAMINA_ASSIGN(const std::vector<std::string> paths, lowers_.of(place).links_below(place.reference));
    for (const std::string& path : paths) {
      LAMINA_ASSIGN(const LinkName link, groups_.name_at(above + "/" + path));
      if (!link.directory) continue;
      LAMINA_ASSIGN(const Found found, names_.find(*link.directory, link.name));
      if (found.in_lower() == nullptr || found.type() == S_IFDIR || found.lowers.front().layer != place.layer) continue;
      LAMINA_ASSIGN(const InodeRef inode, resolver_.intern(link.directory, link.name, found));
      table_.forget(inode->id, 1);
      LAMINA_TRY(copier_.copy_up(link.directory, CopyUp::attributes, interrupted));
      LAMINA_TRY(copier_.copy_up_name(link.directory, link.name, inode, CopyUp::attributes, interrupted));
    }
  }
  return {};
}

}  // namespace lamina::overlay
