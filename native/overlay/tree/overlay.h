// The one implementation of FileSystem: makes the parts of the merged tree, and lets each do what is its own. None
// knows this class. Lowest first:
//
// lookup   from a node, a name or a path to an inode, and to its place in the upper
// links    which names are one file
// copy_up  from a lower to the upper
// files    what is done with a file that was found: attributes, content, xattrs, flags
// names    what is done with a name: lookup, creation, link, removal, rename
//
// Operations of FileSystem take the tree lock where they begin; inodes/tree_lock.h has the order of all locks.
#pragma once

#include <atomic>
#include <memory>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

#include "overlay/file_system.h"
#include "overlay/inodes/file_cache.h"
#include "overlay/inodes/inode.h"
#include "overlay/inodes/inode_table.h"
#include "overlay/inodes/tree_lock.h"
#include "overlay/layers/layer.h"
#include "overlay/layers/marks.h"
#include "overlay/layers/redirects.h"
#include "overlay/tree/copy_up/copier.h"
#include "overlay/tree/copy_up/copy_builder.h"
#include "overlay/tree/copy_up/copy_publisher.h"
#include "overlay/tree/copy_up/directory_copier.h"
#include "overlay/tree/copy_up/interrupted_groups.h"
#include "overlay/tree/copy_up/metacopy_data.h"
#include "overlay/tree/files/attribute_changes.h"
#include "overlay/tree/files/backing_files.h"
#include "overlay/tree/files/file_contents.h"
#include "overlay/tree/files/file_flags.h"
#include "overlay/tree/files/inode_attributes.h"
#include "overlay/tree/files/xattrs.h"
#include "overlay/tree/links/group_places.h"
#include "overlay/tree/links/link_groups.h"
#include "overlay/tree/links/linked_names.h"
#include "overlay/tree/lookup/found.h"
#include "overlay/tree/lookup/inode_keys.h"
#include "overlay/tree/lookup/inode_numbers.h"
#include "overlay/tree/lookup/listings.h"
#include "overlay/tree/lookup/lower_stack.h"
#include "overlay/tree/lookup/name_lookup.h"
#include "overlay/tree/lookup/resolver.h"
#include "overlay/tree/lookup/restored_inodes.h"
#include "overlay/tree/lookup/upper_places.h"
#include "overlay/tree/names/creator.h"
#include "overlay/tree/names/entry_lookup.h"
#include "overlay/tree/names/linker.h"
#include "overlay/tree/names/name_tests.h"
#include "overlay/tree/names/object_maker.h"
#include "overlay/tree/names/redirect_writer.h"
#include "overlay/tree/names/removed_inodes.h"
#include "overlay/tree/names/remover.h"
#include "overlay/tree/names/rename_preparation.h"
#include "overlay/tree/names/rename_side.h"
#include "overlay/tree/names/renamer.h"
#include "overlay/tree/names/revival.h"
#include "overlay/tree/names/writable_directories.h"
#include "overlay/upper/escaped_whiteouts.h"
#include "overlay/upper/upper_files.h"
#include "overlay/upper/work_directory.h"
#include "sys/file_descriptor.h"
#include "sys/status.h"

namespace lamina::overlay {

// The parts of a writable overlay besides its lowers; none is valid in a read-only one.
struct OverlayDirectories {
  sys::FileDescriptor upper, work;
  sys::FileDescriptor lock;   // locked while the overlay lives
  sys::FileDescriptor quiet;  // the upper, where reading changes no access times; only if requested
};

class Overlay final : public FileSystem {
 public:
  Overlay(const Options& options, std::vector<std::unique_ptr<Layer>> layers, OverlayDirectories directories,
          std::unique_ptr<NodeStore> nodes);
  // Makes the root's inode; call it first.
  Status start();

  Result<Entry> lookup(NodeId parent, std::string_view name) override { return entry_lookup_.lookup(parent, name); }
  void forget(NodeId node, std::uint64_t count) override;
  Result<std::string> path(NodeId node) override;
  Result<bool> any_name(NodeId node, const PathTest& test) override { return name_tests_.any_name(node, test); }
  Result<bool> any_below(NodeId parent, std::string_view name, const PathTest& test) override {
    return name_tests_.any_below(parent, name, test);
  }
  Result<Attributes> attributes(NodeId node) override { return attributes_.of(node); }
  Result<Attributes> set_attributes(NodeId node, const SetAttributes& change, const Interrupted& interrupted) override {
    return attribute_changes_.make(node, change, interrupted);
  }
  Result<std::string> read_link(NodeId node) override { return contents_.read_link(node); }
  Result<Entry> make_node(NodeId parent, std::string_view name, std::uint32_t mode, std::uint32_t rdev_major,
                          std::uint32_t rdev_minor, const Caller& caller, Attempt* attempt) override {
    return creator_.make_node(parent, name, mode, rdev_major, rdev_minor, caller, attempt);
  }
  Result<Entry> make_directory(NodeId parent, std::string_view name, std::uint32_t mode, const Caller& caller,
                               Attempt* attempt) override {
    return creator_.make_directory(parent, name, mode, caller, attempt);
  }
  Result<Entry> make_symlink(NodeId parent, std::string_view name, std::string_view target, const Caller& caller,
                             Attempt* attempt) override {
    return creator_.make_symlink(parent, name, target, caller, attempt);
  }
  Result<Entry> make_unnamed(NodeId parent, std::uint32_t mode, const Caller& caller) override {
    return creator_.make_unnamed(parent, mode, caller);
  }
  Result<Entry> link(NodeId node, NodeId parent, std::string_view name, const Interrupted& interrupted,
                     Attempt* attempt) override {
    return linker_.make(node, parent, name, interrupted, attempt);
  }
  Status unlink(NodeId parent, std::string_view name, Attempt* attempt) override {
    return remover_.file(parent, name, attempt);
  }
  Status remove_directory(NodeId parent, std::string_view name, Attempt* attempt) override {
    return remover_.directory(parent, name, attempt);
  }
  Status rename(NodeId parent, std::string_view name, NodeId new_parent, std::string_view new_name, RenameMode mode,
                const Interrupted& interrupted, Attempt* attempt) override {
    const auto rename = [&](RenameMode how) {
      return renamer_.rename(parent, name, new_parent, new_name, how, interrupted, attempt);
    };
    if (mode != RenameMode::leave_device) return rename(mode);
    return creator_.leave_device(parent, name, [&] { return rename(RenameMode::replace); });
  }
  Result<RealFileRef> file(NodeId node, Access access, const Interrupted& interrupted) override {
    return contents_.file(node, access, interrupted);
  }
  Status sync(NodeId node, bool data_only) override { return contents_.sync(node, data_only); }
  Result<bool> data_in_lower(NodeId node) override { return backing_.data_in_lower(node); }
  Status expect_unseen_writes(NodeId node, bool mapped) override { return backing_.expect_unseen_writes(node, mapped); }
  Status replace_node(NodeId node) override { return backing_.replace_node(node); }
  std::vector<NodeId> take_renumbered() override { return CopyPublisher::take_renumbered(); }
  [[nodiscard]] std::optional<NodeId> replacement(NodeId node) const override { return backing_.replacement(node); }
  Result<std::vector<std::pair<RealFileRef, std::string>>> samples() override { return backing_.samples(); }
  Result<ListingRef> list(NodeId directory) override;
  Result<std::vector<std::byte>> xattr(NodeId node, std::string_view name) override { return xattrs_.get(node, name); }
  Result<std::string> xattr_names(NodeId node) override { return xattrs_.names(node); }
  Result<std::uint32_t> flags(NodeId node) override { return flags_.get(node); }
  Status set_flags(NodeId node, std::uint32_t flags) override { return flags_.set(node, flags); }
  Result<fsxattr> extended_flags(NodeId node) override { return flags_.get_extended(node); }
  Status set_extended_flags(NodeId node, const fsxattr& flags) override { return flags_.set_extended(node, flags); }
  Status may_write(NodeId node, bool appends) override { return flags_.may_write(node, appends); }
  Status set_xattr(NodeId node, std::string_view name, std::span<const std::byte> value, int flags,
                   Attempt* attempt) override {
    return xattrs_.set(node, name, value, flags, attempt);
  }
  Status remove_xattr(NodeId node, std::string_view name, Attempt* attempt) override {
    return xattrs_.remove(node, name, attempt);
  }
  Result<FileSystemStatistics> statistics() override;
  Status sync_all() override;
  OverlayCounters counters() const override;
  bool read_only() const override { return !places_.upper(); }
  bool shows_inodes() const override { return upper_files_.owners().in_inodes(); }
  [[nodiscard]] std::vector<int> kept_descriptors() const override;
  Status recover() override;

 private:
  const Options options_;
  const MarkNames marks_;
  const LowerStack lowers_;
  UpperFiles upper_files_;
  WorkDirectory work_;
  TreeLock tree_;
  InodeTable table_;
  InodeRef root_;
  UpperPlaces places_;
  EscapedWhiteouts escaped_;
  FileCache open_files_;
  InodeNumbers numbers_;
  Listings listings_;
  NameLookup names_;
  InodeKeys keys_;
  RestoredInodes restored_;
  Resolver resolver_;
  LinkedNames linked_names_;
  GroupPlaces group_places_;
  LinkGroups groups_;
  CopyBuilder copies_;
  MetacopyData metacopies_;
  CopyPublisher publisher_;
  Copier copier_;
  DirectoryCopier directory_copier_;
  InterruptedGroups interrupted_groups_;
  InodeAttributes attributes_;
  FileContents contents_;
  AttributeChanges attribute_changes_;
  BackingFiles backing_;
  FileFlags flags_;
  Xattrs xattrs_;
  ObjectMaker maker_;
  WritableDirectories writable_directories_;
  Creator creator_;
  RedirectWriter redirects_;
  Linker linker_;
  RemovedInodes removed_;
  Remover remover_;
  RenameSides rename_sides_;
  RenamePreparation rename_preparation_;
  Renamer renamer_;
  NameTests name_tests_;
  Revival revival_;
  EntryLookup entry_lookup_;
  std::atomic<std::uint64_t> forgotten_{0};  // since memory was trimmed
};

}  // namespace lamina::overlay
