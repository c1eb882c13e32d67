// The place of an inode in the upper, and the directories there.
#include <fcntl.h>
#include <malloc.h>

#include <algorithm>

#include "overlay/tree/overlay.h"
#include "sys/names.h"
#include "sys/open.h"

namespace lamina::overlay {

using sys::Errno;

// The path in the mount, which is the path in the upper. ENOENT once a component has no name.
Result<std::string> Overlay::path_of(Inode& inode) {
  std::vector<std::string> names;
  std::size_t length = 0;
  InodeRef keep;
  for (Inode* at = &inode; at != root_.get();) {
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

// An O_PATH descriptor of the directory in the upper; the inode has one there.
Result<RealFileRef> Overlay::upper_directory(Inode& inode) {
  if (&inode == root_.get()) return upper_;
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

// Where calls find the inode in the upper; it has one there.
Result<Location> Overlay::location(Inode& inode) {
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
    LAMINA_ASSIGN(RealFileRef directory, upper_directory(inode));
    return Location{std::move(directory), {}};
  }
  LAMINA_ASSIGN(RealFileRef directory, upper_directory(*parent));
  return Location{std::move(directory), std::move(name)};
}

// A descriptor that stayed open would keep the space of a removed file.
void Overlay::forget(NodeId node, std::uint64_t count) {
  if (!table_.forget(node, count)) return;
  files_.erase(node);
  directories_.erase(node);
  // malloc_trim(3): else the process keeps memory freed between live objects. Its cost grows with all memory used, so
  // it waits until as many nodes were forgotten as are still known.
  constexpr std::uint64_t look_every = 8192;
  const std::uint64_t forgotten = forgotten_.fetch_add(1, std::memory_order_relaxed) + 1;
  if (forgotten % look_every != 0 || forgotten < table_.size()) return;
  forgotten_.store(0, std::memory_order_relaxed);
  ::malloc_trim(0);
}

// The names of a directory have changed.
void Overlay::touched(Inode& directory) {
  std::lock_guard lock(directory.mutex);
  ++directory.directory().version;
  directory.directory().listing.reset();
}

}  // namespace lamina::overlay
