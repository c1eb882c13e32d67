#include "overlay/tree/names/redirect_writer.h"

#include <mutex>

#include "sys/xattrs.h"

namespace lamina::overlay {

Result<std::string> RedirectWriter::lower_path(InodeRef directory, std::string name) {
  std::string path;
  for (;;) {
    LAMINA_ASSIGN(const RealFileRef place, places_.directory(*directory));
    const auto redirect = sys::get_xattr(place->descriptor(), name, marks_.redirect);
    if (!redirect && !redirect.failed_with(ENODATA) && !redirect.failed_with(EOPNOTSUPP)) return redirect.error();
    if (redirect) name.assign(reinterpret_cast<const char*>(redirect->data()), redirect->size());
    path = path.empty() ? name : name + "/" + path;
    if (path.front() == '/') return path;
    if (directory->id == root_node) return "/" + path;
    InodeRef parent;
    {
      std::lock_guard lock(directory->mutex);
      name = directory->name();
      parent = directory->parent;
    }
    directory = std::move(parent);
  }
}

Status RedirectWriter::mark_metacopy(const InodeRef& inode, const InodeRef& directory, const std::string& name,
                                     const Interrupted& interrupted) {
  const auto mark = [&]() -> Status {
    // Whoever completes the data removes the redirect, and holds this lock meanwhile.
    const std::lock_guard completing(inode->copy_up);
    {
      const std::lock_guard lock(inode->mutex);
      if (!inode->metacopy) return {};
    }
    LAMINA_ASSIGN(const std::string path, lower_path(directory, name));
    LAMINA_ASSIGN(const RealFileRef place, places_.directory(*directory));
    return upper_files_.set_mark({place->descriptor(), name}, marks_.redirect, path);
  };
  const Status marked = mark();
  return lacks_room(marked) ? copier_.copy_up(inode, CopyUp::data, interrupted) : marked;
}

}  // namespace lamina::overlay
