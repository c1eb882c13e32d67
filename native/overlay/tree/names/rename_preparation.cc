#include "overlay/tree/names/rename_preparation.h"

#include <mutex>
#include <optional>
#include <string>

#include "sys/status.h"

namespace lamina::overlay {

// Gives a directory what keeps its content the same under the other name.
Status RenamePreparation::directory(RenameSide& from, RenameSide& to, const Interrupted& interrupted) {
  std::optional<LowerPlace> lower;
  {
    std::lock_guard lock(from.inode->mutex);
    if (!from.inode->lowers.empty()) lower = from.inode->lowers.front();
  }
  if (lower && (!makes_redirects_)) {
    LAMINA_TRY(directory_copier_.copy_up_tree(from.inode, interrupted));
    lower.reset();
  }
  LAMINA_TRY(copier_.copy_up(from.inode, CopyUp::data, interrupted));
  if (lower) LAMINA_TRY(directory_copier_.copy_up_links_below(from.inode, interrupted));
  LAMINA_ASSIGN(const RealFileRef place, places_.directory(*from.inode));
  if (lower) {
    LAMINA_ASSIGN(const std::string path, redirects_.lower_path(from.directory, from.name));
    const Status marked = upper_files_.set_mark({place->descriptor(), ""}, marks_.redirect, path);
    if (lacks_room(marked)) return directory_copier_.copy_up_tree(from.inode, interrupted);
    LAMINA_TRY(marked);
    from.redirect = path.substr(1);
    LAMINA_ASSIGN(const sys::FileStatus status, sys::status_of(place->descriptor()));
    return numbers_.mark(*from.inode, {place->descriptor(), ""}, status.ino);
  }
  if (to.below) return upper_files_.set_mark({place->descriptor(), ""}, marks_.opaque, opaque_value);
  return {};
}

Status RenamePreparation::source(RenameSide& from, RenameSide& to, const Interrupted& interrupted) {
  if (from.is_directory()) return directory(from, to, interrupted);
  LAMINA_TRY(copier_.copy_up_name(from.directory, from.name, from.inode, CopyUp::attributes, interrupted));
  return redirects_.mark_metacopy(from.inode, from.directory, from.name, interrupted);
}

}  // namespace lamina::overlay
