// One object of the merged tree, whatever layers it comes from.
#pragma once

#include <sys/stat.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "overlay/file_system.h"
#include "overlay/inodes/known_listing.h"
#include "overlay/inodes/node_store.h"
#include "overlay/inodes/one_or_more.h"
#include "overlay/layers/layer.h"
#include "overlay/types.h"
#include "sys/small_mutex.h"

namespace lamina::overlay {

// An entry of one lower; `layer` counts from the top of the lowers. Nearly every inode has one: the layer's number lies
// where LowerRef ends, in its padding.
struct LowerPlace {
  LowerPlace() = default;
  LowerPlace(std::size_t its_layer, LowerRef its_reference)
      : reference(std::move(its_reference)), layer(static_cast<std::uint32_t>(its_layer)) {}
  [[nodiscard]] bool is_none() const { return layer == none; }

  static constexpr std::uint32_t none = ~0U;
  [[no_unique_address]] LowerRef reference;
  std::uint32_t layer = none;
};
static_assert(sizeof(LowerPlace) == 24);

// Names below a directory, as the lowers alone show them, sorted by cookie. Never changes, as the lowers never do.
struct LowerChild {
  DirectoryEntry entry;
  bool whiteout = false;
  std::size_t place = 0;  // which of the directory's lower places has it first
};
using LowerChildren = std::vector<LowerChild>;

// What new entries of a directory inherit.
struct InheritedAttributes {
  std::vector<std::byte> default_acl;  // empty: none
  std::optional<std::uint32_t> group;  // of a setgid directory
};

// State of directories only. The lists are kept by RecentLists.
struct DirectoryState {
  KnownListing listing;
  std::weak_ptr<const LowerChildren> lower_children;
  // The upper has none. Nothing that is made here is one (Options::whiteout_files).
  bool no_whiteout_files = false;
  std::optional<InheritedAttributes> inherited_attributes;  // once it was requested
  std::uint64_t inherited_version = 0;                      // raised by every change to it
};

class Inode;
using InodeRef = std::shared_ptr<Inode>;

// tree_lock.h has the order of its locks.
class Inode {
 public:
  Inode() = default;
  Inode(const Inode&) = delete;
  Inode& operator=(const Inode&) = delete;
  ~Inode() {
    if (record == nullptr) return;
    const int inherited = resolved.load(std::memory_order_relaxed) ? -1 : record->pin.load();
    NodeStore::drop(record);
    if (inherited >= 0) RealFile closed(inherited);
  }

  NodeId id = 0;
  std::atomic<std::uint64_t> ino{0};  // changes when a name of its own is copied up: CopyPublisher
  std::uint32_t type = 0;             // the S_IFMT bits
  // False after a restart, until RestoredInodes::resolve() has restored what `mutex` guards.
  std::atomic<bool> resolved{true};

  sys::SmallMutex copy_up;  // held while it is copied up

  sys::SmallMutex mutex;  // guards all below
  // Of a lower's hard-link group the visible names, as of LinkGroups::version_ (its low bits).
  std::uint32_t links = 0, links_version = 0;
  bool has_upper = false;
  bool metacopy = false;                               // the upper has the attributes only; lowers[0] has the data
  bool nameless = false;                               // removed, or never named
  bool other_names = false;                            // nameless, and another name of it is left
  bool written_unseen = false, mapped_unseen = false;  // FileSystem::expect_unseen_writes
  std::atomic<Protection> protection{};                // not guarded
  std::atomic<bool> fresh{false};                      // not guarded: made here, and got no xattr of a client since
  std::atomic<bool> replaced{false};                   // changed under the exclusive tree lock
  // Its node, name, newest key and lookup count, in the store. Changed by the table, under its lock too; null before it
  // exists.
  NodeRecord* record = nullptr;
  // The upper's path is the overlay's path. A directory's parent and name change only under the exclusive tree lock.
  InodeRef parent;
  [[nodiscard]] std::string_view name() const { return record->name(); }
  OneOrMore<LowerPlace> lowers;  // of a directory all that merge, topmost first; else at most one, or a metacopy's two
  // The descriptor of the real file, once it has no known name; else null.
  [[nodiscard]] RealFileRef pinned() const { return rare_ ? rare_->pinned : nullptr; }
  // Called before the name is removed: the next worker then finds the descriptor.
  void pin(RealFileRef file) {
    if (record != nullptr) record->pin.store(file->descriptor());
    rare().pinned = std::move(file);
  }
  void unpin() {
    if (record != nullptr) record->pin.store(-1);
    if (rare_) rare_->pinned.reset();
  }
  // The name was removed, and the inode lives on without one.
  void unlink() {
    nameless = true;
    record->flags.fetch_or(NodeRecord::nameless);
  }
  // The inode that represents the file now, where `replaced`; never changes then.
  [[nodiscard]] const InodeRef& replacement() const { return rare_->replacement; }
  void replace_by(InodeRef other) {
    rare().replacement = std::move(other);
    replaced.store(true, std::memory_order_release);
  }
  DirectoryState& directory() { return rare().directory; }
  [[nodiscard]] bool is_directory() const { return type == S_IFDIR; }
  [[nodiscard]] bool is_regular() const { return type == S_IFREG; }

  // Keys before its newest, which still lead to it. Guarded by `mutex`.
  template <typename Use>
  void for_each_earlier_key(Use use) const {
    if (!rare_) return;
    for (const InodeKey& key : rare_->earlier_keys) use(key);
  }
  void add_earlier_key(const InodeKey& key) { rare().earlier_keys.push_back(key); }

 private:
  // State that few inodes need.
  struct Rare {
    RealFileRef pinned;
    InodeRef replacement;
    DirectoryState directory;
    std::vector<InodeKey> earlier_keys;
  };
  Rare& rare() {
    if (!rare_) rare_ = std::make_unique<Rare>();
    return *rare_;
  }
  std::unique_ptr<Rare> rare_;
};

}  // namespace lamina::overlay
