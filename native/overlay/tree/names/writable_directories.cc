#include "overlay/tree/names/writable_directories.h"

#include <mutex>

#include "overlay/layers/whiteout_files.h"
#include "overlay/tree/lookup/listings.h"
#include "overlay/tree/lookup/permissions.h"

namespace lamina::overlay {

using sys::Errno;

Result<InodeRef> WritableDirectories::get(NodeId parent, std::string_view name) {
  if (!places_.upper()) return Errno{EROFS};
  if (name.size() > 255) return Errno{ENAMETOOLONG};
  LAMINA_ASSIGN(InodeRef directory, resolver_.get(parent));
  if (!directory->is_directory()) return Errno{ENOTDIR};
  {
    std::lock_guard lock(directory->mutex);
    if (directory->nameless) return Errno{ENOENT};
  }
  LAMINA_TRY(allow_write(*directory, true));
  LAMINA_TRY(copier_.copy_up(directory, CopyUp::attributes, [] { return false; }));
  if (!whiteout_files_ || name.empty()) return directory;
  if (is_whiteout_file(name)) return Errno{EINVAL};
  LAMINA_ASSIGN(const RealFileRef place, places_.directory(*directory));
  LAMINA_ASSIGN(const bool hidden, upper_hides(*directory, place->descriptor(), name));
  if (hidden) LAMINA_TRY(maker_.replace_whiteout_file(place->descriptor(), name));
  return directory;
}

}  // namespace lamina::overlay
