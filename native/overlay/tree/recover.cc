// After a worker's death: the next one knows what the store kept of every inode, and finds the rest by the inode's
// name, when the inode is first used.
#include <fcntl.h>

#include "overlay/tree/overlay.h"
#include "sys/open.h"

namespace lamina::overlay {

using sys::Errno;

std::vector<int> Overlay::kept_descriptors() const {
  std::vector<int> kept;
  table_.store().for_each([&](const NodeRecord& record) {
    if (record.pin.load() >= 0) kept.push_back(record.pin.load());
  });
  return kept;
}

// What the dead worker was building in work is useless: it is not part of the upper.
Status Overlay::recover() {
  std::vector<std::pair<InodeKey, std::uint64_t>> groups;  // with their numbers
  table_.store().for_each([&](const NodeRecord& record) {
    if (record.is(NodeRecord::linking)) groups.emplace_back(record.key(), record.ino);
  });
  const std::vector<InodeRef> changing = table_.restore(root_);
  for (const auto& [key, ino] : groups) LAMINA_TRY(interrupted_groups_.finish(key, ino));
  for (const InodeRef& inode : changing) {
    // One that cannot be read now reports the error at its next use.
    if (restored_.resolve(inode) && !inode->has_upper && inode->record->key().layer == 0) table_.take_back_key(inode);
  }
  return places_.upper() ? work_.clear() : Status();
}

}  // namespace lamina::overlay
