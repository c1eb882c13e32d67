#include "overlay/tree/lookup/upper_places.h"

#include <fcntl.h>

#include <memory>
#include <mutex>
#include <vector>

#include "sys/open.h"

namespace lamina::overlay {

using sys::Errno;

Result<std::string> UpperPlaces::path_of(Inode& inode) {
  std::vector<std::string> names;
  std::size_t length = 0;
  InodeRef keep;
  for (Inode* at = &inode; at->id != root_node;) {
    InodeRef next;
    {
      std::lock_guard lock(at->mutex);
      if (at->nameless || !at->parent) return Errno{ENOENT};
      names.emplace_back(at->name());
      next = at->parent;
    }
    length += names.back().size() + 1;
    keep = std::move(next);
    at = keep.get();
  }
  std::string path;
  path.reserve(length);
  for (auto name = names.rbegin(); name != names.rend(); ++name) {
    if (!path.empty()) path += '/';
    path += *name;
  }
  return path;
}

Result<RealFileRef> UpperPlaces::directory(Inode& inode) {
  if (inode.id == root_node) return upper_;
  {
    std::lock_guard lock(inode.mutex);
    if (RealFileRef pinned = inode.pinned()) return pinned;
  }
  if (RealFileRef cached = directories_.get(inode.id)) return cached;
  LAMINA_ASSIGN(const std::string path, path_of(inode));
  LAMINA_ASSIGN(sys::FileDescriptor opened,
                sys::open_beneath(upper_->descriptor(), path, O_PATH | O_DIRECTORY | O_NOFOLLOW));
  auto file = std::make_shared<const RealFile>(opened.release());
  directories_.put(inode.id, file);
  return RealFileRef(file);
}

Result<Location> UpperPlaces::location(Inode& inode) {
  InodeRef parent;
  std::string name;
  {
    std::lock_guard lock(inode.mutex);
    if (RealFileRef pinned = inode.pinned()) return Location{std::move(pinned), {}};
    if (inode.nameless) return Errno{ENOENT};
    parent = inode.parent;
    name = inode.name();
  }
  if (inode.is_directory()) {
    LAMINA_ASSIGN(RealFileRef its_directory, directory(inode));
    return Location{std::move(its_directory), {}};
  }
  LAMINA_ASSIGN(RealFileRef its_directory, directory(*parent));
  return Location{std::move(its_directory), std::move(name)};
}

}  // namespace lamina::overlay
