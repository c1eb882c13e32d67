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
#include "sys/small_mutex.h"

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
  std::size_t operator()(const InodeKey& key) const noexcept {
    return std::hash<std::uint64_t>()((key.identity * 0x9E3779B97F4A7C15ULL) ^ (key.layer * 0xC2B2AE3D27D4EB4FULL));
  }
};

// The keys under which one inode is found: one, and another after copy-up.
class InodeKeys {
 public:
  void push_back(const InodeKey& key) {
    if (!first_) {
      first_ = key;
    } else {
      more_.push_back(key);
    }
  }
  [[nodiscard]] bool empty() const { return !first_; }
  [[nodiscard]] const InodeKey& front() const { return *first_; }
  [[nodiscard]] const InodeKey& back() const { return more_.empty() ? *first_ : more_.back(); }
  template <typename Use>
  void for_each(Use use) const {
    if (first_) use(*first_);
    for (const InodeKey& key : more_) use(key);
  }

 private:
  std::optional<InodeKey> first_;
  std::vector<InodeKey> more_;
};

// Names below a directory, as the lowers alone show them, sorted by cookie. Never changes, because the lowers do not.
struct LowerChild {
  DirectoryEntry entry;
  bool whiteout = false;
  std::size_t place = 0;  // which of the directory's lower places has it first
};
using LowerChildren = std::vector<LowerChild>;

// What is known of a directory only. The lists are kept by RecentLists.
struct DirectoryState {
  std::uint64_t version = 0;  // raised by every change to its names
  std::weak_ptr<const Listing> listing;
  std::weak_ptr<const LowerChildren> lower_children;
  std::optional<std::vector<std::byte>> default_acl;  // what it hands down; empty: nothing
};

class Inode;
using InodeRef = std::shared_ptr<Inode>;

// Lock order: the tree lock, then `copy_up` of parents before children, then `mutex` of one inode, then caches and tables.
class Inode {
 public:
  NodeId id = 0;
  std::uint32_t type = 0;  // the S_IFMT bits
  std::uint64_t ino = 0;
  std::atomic<std::uint64_t> lookups{0};  // changed under the table's lock

  sys::SmallMutex copy_up;  // held while it is copied up

  sys::SmallMutex mutex;  // guards all below
  // The upper's path is the overlay's path. A directory's parent and name change only under the exclusive tree lock.
  InodeRef parent;
  std::string name;
  bool has_upper = false;
  bool metacopy = false;           // the upper has the attributes only; lowers[0] has the data
  std::vector<LowerPlace> lowers;  // of a directory all that merge, topmost first; else at most one
  InodeKeys keys;
  RealFileRef pinned;               // set once it has no name that we know: the descriptor of the real file
  bool nameless = false;            // removed, or never named
  std::uint32_t links = 0;          // visible names of a lower's hard-link group, as of
  std::uint64_t links_version = 0;  // Overlay::names_version_
  DirectoryState& directory() {
    if (!directory_) directory_ = std::make_unique<DirectoryState>();
    return *directory_;
  }
  [[nodiscard]] bool is_directory() const { return type == 0040000U; }
  [[nodiscard]] bool is_regular() const { return type == 0100000U; }

 private:
  std::unique_ptr<DirectoryState> directory_;
};

}  // namespace lamina::overlay
