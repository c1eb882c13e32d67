// Where inodes lie in the upper, whose paths are those of the mount. Keeps the directories there open that were used
// last.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "overlay/inodes/file_cache.h"
#include "overlay/inodes/inode.h"
#include "overlay/upper/upper_files.h"

namespace lamina::overlay {

class UpperPlaces {
 public:
  // `upper`: its directory, null in a read-only overlay.
  UpperPlaces(RealFileRef upper, std::size_t most_open) : upper_(std::move(upper)), directories_(most_open) {}

  // Null in a read-only overlay.
  [[nodiscard]] const RealFileRef& upper() const { return upper_; }
  // The path in the mount, which is the path in the upper. ENOENT once a component has no name.
  static Result<std::string> path_of(Inode& inode);
  // An O_PATH descriptor of the directory in the upper; the inode has one there.
  Result<RealFileRef> directory(Inode& inode);
  // Where calls find the inode in the upper; it has one there.
  Result<Location> location(Inode& inode);
  // A descriptor that stayed open would keep the space of a removed directory.
  void forget(NodeId node) { directories_.erase(node); }
  [[nodiscard]] std::uint64_t open_directories() const { return directories_.size(); }

 private:
  const RealFileRef upper_;
  FileCache directories_;
};

}  // namespace lamina::overlay
