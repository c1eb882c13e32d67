// One object of the merged tree, whatever layers it comes from.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "overlay/file_system.h"
#include "overlay/layer.h"
#include "overlay/types.h"

namespace lamina::overlay {

// An entry of one lower; `layer` counts from the top of the lowers.
struct LowerPlace {
  std::size_t layer = 0;
  LowerRef reference;
};

// Identifies the real file behind an inode: a file of the upper (layer 0, its st_ino) or of a lower (1 + its place in the
// stack, Layer::identity).
struct InodeKey {
  std::size_t layer = 0;
  std::uint64_t identity = 0;
  friend bool operator==(const InodeKey&, const InodeKey&) = default;
};

struct InodeKeyHash {
  std::size_t operator()(const InodeKey& key) const {
    return std::hash<std::uint64_t>()((key.identity * 0x9E3779B97F4A7C15ULL) ^ (key.layer * 0xC2B2AE3D27D4EB4FULL));
  }
};

// Names below a directory, as the lowers alone show them, sorted by cookie. Never changes, because the lowers do not.
struct LowerChild {
  DirectoryEntry entry;
  bool whiteout = false;
  std::size_t place = 0;  // which of the directory's lower places has it first
};
using LowerChildren = std::vector<LowerChild>;

class Inode;
using InodeRef = std::shared_ptr<Inode>;

// Lock order: the tree lock, then `copy_up` of parents before children, then `mutex` of one inode, then caches and tables.
class Inode {
 public:
  NodeId id = 0;
  std::uint32_t type = 0;  // the S_IFMT bits
  std::uint64_t ino = 0;
  std::atomic<std::uint64_t> lookups{0};  // changed under the table's lock

  std::mutex copy_up;  // held while it is copied up

  std::mutex mutex;  // guards all below
  // The upper's path is the overlay's path. A directory's parent and name change only under the exclusive tree lock.
  InodeRef parent;
  std::string name;
  bool has_upper = false;
  bool metacopy = false;           // the upper has the attributes only; lowers[0] has the data
  std::vector<LowerPlace> lowers;  // of a directory all that merge, topmost first; else at most one
  std::vector<InodeKey> keys;
  RealFileRef pinned;               // set once it has no name that we know: the descriptor of the real file
  bool nameless = false;            // removed, or never named
  std::uint32_t links = 0;          // visible names of a lower's hard-link group, as of
  std::uint64_t links_version = 0;  // Overlay::names_version_
  bool impure = false;              // the upper directory holds files that carry a number of their own
  std::uint64_t version = 0;        // raised by every change to a directory's names
  ListingRef listing;
  std::shared_ptr<const LowerChildren> lower_children;
  std::optional<std::vector<std::byte>> default_acl;  // what the directory hands down; empty: nothing
  [[nodiscard]] bool is_directory() const { return type == 0040000U; }
  [[nodiscard]] bool is_regular() const { return type == 0100000U; }
};

}  // namespace lamina::overlay
