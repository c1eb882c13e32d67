// The operations that are not those of a part.
#include <fcntl.h>
#include <malloc.h>

#include "overlay/tree/overlay.h"
#include "sys/data.h"

namespace lamina::overlay {

using sys::Errno;

Result<std::string> Overlay::path(NodeId node) {
  TreeLock::Shared lock(tree_);
  LAMINA_ASSIGN(const InodeRef inode, resolver_.get(node));
  return UpperPlaces::path_of(*inode);
}

// A descriptor that stayed open would keep the space of a removed file.
void Overlay::forget(NodeId node, std::uint64_t count) {
  if (!table_.forget(node, count)) return;
  open_files_.erase(node);
  places_.forget(node);
  // malloc_trim(3): else the process keeps memory freed between live objects. Its cost grows with all memory used, so
  // it waits until as many nodes were forgotten as are still known.
  constexpr std::uint64_t look_every = 8192;
  const std::uint64_t forgotten = forgotten_.fetch_add(1, std::memory_order_relaxed) + 1;
  if (forgotten % look_every != 0 || forgotten < table_.size()) return;
  forgotten_.store(0, std::memory_order_relaxed);
  ::malloc_trim(0);
}

Result<ListingRef> Overlay::list(NodeId directory) {
  TreeLock::Shared lock(tree_);
  LAMINA_ASSIGN(const InodeRef inode, resolver_.get(directory));
  if (!inode->is_directory()) return Errno{ENOTDIR};
  return listings_.of(*inode);
}

Result<FileSystemStatistics> Overlay::statistics() {
  int descriptor = places_.upper() ? places_.upper()->descriptor() : -1;
  sys::FileDescriptor opened;
  if (!places_.upper()) {
    LAMINA_ASSIGN(opened, lowers_[0].open(lowers_[0].root(), O_PATH | O_DIRECTORY));
    descriptor = opened.get();
  }
  LAMINA_ASSIGN(const sys::FileSystemStatus status, sys::file_system_status(descriptor));
  return FileSystemStatistics{status.blocks,     status.blocks_free, status.blocks_available, status.files,
                              status.files_free, status.block_size,  status.name_length,      status.fragment_size};
}

OverlayCounters Overlay::counters() const {
  OverlayCounters counters;
  counters.copy_ups = copier_.count();
  counters.copy_up_bytes = copies_.copied_bytes();
  counters.inodes = table_.size();
  counters.cached_files = open_files_.size();
  counters.cached_directories = places_.open_directories();
  counters.cached_listings = listings_.kept();
  counters.index_lookups = lowers_.index_lookups();
  counters.directory_lookups = lowers_.directory_lookups();
  return counters;
}

Status Overlay::sync_all() { return places_.upper() ? sys::sync_file_system(work_.parent()) : Status(); }

}  // namespace lamina::overlay
