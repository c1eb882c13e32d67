// The one implementation of FileSystem. The methods stand by the file that defines them. What has a state of its own is
// apart: LowerStack, UpperFiles, WorkDirectory, CopyBuilder, ObjectMaker, GroupPlaces, LinkedNames, the table and the
// caches.
//
// Locks, outermost first:
// tree_ shared by all users of upper paths or nodes; exclusive to rename a directory, or to replace a node
//    resolving_               after a restart only
//     Inode::copy_up          of parents before children
//       Inode::mutex          one at a time
//         caches, the table   each for itself
//         UpperFiles::modes_  the innermost
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
#include "overlay/inodes/recent_lists.h"
#include "overlay/layers/layer.h"
#include "overlay/layers/marks.h"
#include "overlay/layers/redirects.h"
#include "overlay/tree/copy_builder.h"
#include "overlay/tree/found.h"
#include "overlay/tree/group_places.h"
#include "overlay/tree/linked_names.h"
#include "overlay/tree/lower_stack.h"
#include "overlay/tree/object_maker.h"
#include "overlay/tree/sip_hash.h"
#include "overlay/tree/tree_lock.h"
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

// The child of that name among those of that cookie; null where there is none.
[[nodiscard]] const LowerChild* find_child(const LowerChildren& children, std::uint64_t cookie, std::string_view name);

// A path of the merged tree, split; its directory's inode holds no lookup count.
struct LinkName {
  InodeRef directory;  // null: there is none
  std::string name;
};

struct RenameSide;

class Overlay final : public FileSystem {
 public:
  Overlay(const Options& options, std::vector<std::unique_ptr<Layer>> layers, OverlayDirectories directories,
          std::unique_ptr<NodeStore> nodes);
  // Makes the root's inode; call it first.
  Status start();

  Result<Entry> lookup(NodeId parent, std::string_view name) override;
  void forget(NodeId node, std::uint64_t count) override;
  Result<std::string> path(NodeId node) override;
  Result<bool> any_name(NodeId node, const PathTest& test) override;
  Result<bool> any_below(NodeId parent, std::string_view name, const PathTest& test) override;
  Result<Attributes> attributes(NodeId node) override;
  Result<Attributes> set_attributes(NodeId node, const SetAttributes& change, const Interrupted& interrupted) override;
  Result<std::string> read_link(NodeId node) override;
  Result<Entry> make_node(NodeId parent, std::string_view name, std::uint32_t mode, std::uint32_t rdev_major,
                          std::uint32_t rdev_minor, const Caller& caller, Attempt* attempt) override;
  Result<Entry> make_directory(NodeId parent, std::string_view name, std::uint32_t mode, const Caller& caller,
                               Attempt* attempt) override;
  Result<Entry> make_symlink(NodeId parent, std::string_view name, std::string_view target, const Caller& caller,
                             Attempt* attempt) override;
  Result<Entry> make_unnamed(NodeId parent, std::uint32_t mode, const Caller& caller) override;
  Result<Entry> link(NodeId node, NodeId parent, std::string_view name, const Interrupted& interrupted,
                     Attempt* attempt) override;
  Status unlink(NodeId parent, std::string_view name, Attempt* attempt) override;
  Status remove_directory(NodeId parent, std::string_view name, Attempt* attempt) override;
  Status rename(NodeId parent, std::string_view name, NodeId new_parent, std::string_view new_name, RenameMode mode,
                const Interrupted& interrupted, Attempt* attempt) override;
  Result<RealFileRef> file(NodeId node, Access access, const Interrupted& interrupted) override;
  Status sync(NodeId node, bool data_only) override;
  Result<bool> data_in_lower(NodeId node) override;
  Status expect_unseen_writes(NodeId node, bool mapped) override;
  Status replace_node(NodeId node) override;
  std::vector<NodeId> take_renumbered() override;
  [[nodiscard]] std::optional<NodeId> replacement(NodeId node) const override;
  Result<std::vector<std::pair<RealFileRef, std::string>>> samples() override;
  Result<ListingRef> list(NodeId directory) override;
  Result<std::vector<std::byte>> xattr(NodeId node, std::string_view name) override;
  Result<std::string> xattr_names(NodeId node) override;
  Result<std::uint32_t> flags(NodeId node) override;
  Status set_flags(NodeId node, std::uint32_t flags) override;
  Result<fsxattr> extended_flags(NodeId node) override;
  Status set_extended_flags(NodeId node, const fsxattr& flags) override;
  Status may_write(NodeId node, bool appends) override;
  Status set_xattr(NodeId node, std::string_view name, std::span<const std::byte> value, int flags,
                   Attempt* attempt) override;
  Status remove_xattr(NodeId node, std::string_view name, Attempt* attempt) override;
  Result<FileSystemStatistics> statistics() override;
  Status sync_all() override;
  OverlayCounters counters() const override;
  bool read_only() const override { return !upper_; }
  [[nodiscard]] std::vector<int> kept_descriptors() const override;
  Status recover() override;

 private:
  // Names in cached lists: about 130 bytes each, once as the lowers show them and once merged.
  static constexpr std::size_t most_listed_names = 1U << 16U;

  // lookup.cc
  Result<Found> find(Inode& parent, std::string_view name);
  Result<std::optional<std::string>> find_in_upper(const RealFile& directory, std::string_view name, Found& found);
  Result<Marks> upper_marks(const sys::FileStatus& status, int directory, std::string_view name);
  Result<bool> visible_below(Inode& parent, std::string_view name);
  Result<std::shared_ptr<const LowerChildren>> lower_children(Inode& directory);
  Status skip_lowers(Inode& parent, std::string_view name, std::vector<LowerPlace>& lowers);
  [[nodiscard]] std::optional<Protection> known_to_be_whole(const sys::FileStatus& upper) const;
  Result<InodeRef> resolve_inode(std::string_view path);
  // intern.cc
  [[nodiscard]] Result<std::optional<std::uint64_t>> marked_ino(const Location& location, std::uint64_t own) const;
  Result<std::uint64_t> upper_ino(const Location& location, const sys::FileStatus& status);
  Result<InodeKey> key_of(const Found& found);
  Result<InodeRef> intern(const InodeRef& parent, std::string_view name, const Found& found);
  Result<Entry> entry_of(const InodeRef& inode);
  Result<Entry> entry_of(const InodeRef& inode, const Found& found);
  // revive.cc
  Result<InodeRef> revive(NodeId node);
  Result<InodeRef> revive_nameless(NodeId node, const ForgottenNodes::Record& record);
  Result<std::uint32_t> links_of_lower(Inode& inode);

  // recover.cc
  Result<InodeRef> get(NodeId node);
  Status resolve(const InodeRef& inode);
  Status resolve_locked(const InodeRef& inode);
  Result<bool> resolve_named(Inode& inode);
  Status resolve_nameless(Inode& inode);
  Result<bool> shows_inode(Inode& inode, const Found& found);
  Result<LowerPlace> forgotten_lower(Inode& inode);

  // upper.cc
  Result<RealFileRef> upper_directory(Inode& inode);
  Result<std::string> path_of(Inode& inode);
  Result<Location> location(Inode& inode);
  void touched(Inode& directory);

  // copy_up.cc
  Status copy_up(const InodeRef& inode, CopyUp what, const Interrupted& interrupted);
  Status copy_up_parents(const InodeRef& inode, const Interrupted& interrupted);
  Status link_aliases(std::string_view temporary, const std::vector<std::pair<InodeRef, std::string>>& aliases);
  Status publish_copy(const InodeRef& inode, std::string_view temporary, std::uint64_t copy, bool metacopy,
                      const std::vector<std::pair<InodeRef, std::string>>& aliases);
  Status copy_up_unnamed(const InodeRef& inode, const LowerEntry& entry, const Interrupted& interrupted);
  Status complete_data(const InodeRef& inode, const Interrupted& interrupted);  // complete_data.cc
  Status copy_up_tree(const InodeRef& directory, const Interrupted& interrupted);

  // flags.cc
  Result<sys::FileDescriptor> open_for_flags(Inode& inode);
  template <typename Flags, typename Set>
  Status change_flags(NodeId node, const Flags& flags, Set set);

  // links.cc
  Result<LinkName> link_name(std::string_view path);
  Status link_unseen(int from, std::string_view name, const RealFile& directory, std::string_view alias);
  Result<bool> shows(Inode& directory, std::string_view name, std::size_t layer_number, std::uint64_t identity);
  Result<std::vector<std::pair<InodeRef, std::string>>> aliases_of(const InodeRef& inode, const LowerPlace& source,
                                                                   const Interrupted& interrupted);
  Result<std::uint32_t> visible_links(Inode& inode, const LowerPlace& source, std::uint32_t links);
  Status finish_group(const InodeKey& key, std::uint64_t ino);
  Status copy_up_name(const InodeRef& directory, std::string_view name, const InodeRef& inode, CopyUp what,
                      const Interrupted& interrupted);
  Status copy_up_for_link(const InodeRef& inode, const Interrupted& interrupted);
  Status copy_up_links_below(const InodeRef& directory, const Interrupted& interrupted);

  // names_of.cc
  Result<std::vector<LinkName>> group_names(const LowerPlace& source);

  // create.cc
  Result<Entry> make(NodeId parent, std::string_view name, const Creation& creation, const Caller& caller,
                     Attempt* attempt);
  Result<bool> make_where_nothing_is(Inode& parent, int directory, std::string_view name, const Creation& creation,
                                     std::uint32_t mode);
  Status make_at(Inode& parent, int directory, std::string_view name, const Creation& creation, const Caller& caller);
  Result<InodeRef> writable_directory(NodeId parent, std::string_view name);

  // remove.cc
  Status remove(NodeId parent, std::string_view name, bool directory, Attempt* attempt);
  Status remove_name(const InodeRef& holder, std::string_view name, const Found& found, Attempt* attempt);
  Result<InodeRef> pin(const InodeRef& parent, std::string_view name, const Found& found);
  void unlinked(const InodeRef& victim, const InodeRef& parent, std::string_view name);

  // rename.cc
  Result<RenameSide> rename_place(NodeId parent, std::string_view name);
  Result<RenameSide> rename_side(NodeId parent, std::string_view name);
  Result<std::string> lower_path(InodeRef directory, std::string name);
  Status prepare_directory(RenameSide& from, RenameSide& to, const Interrupted& interrupted);
  Status prepare_source(RenameSide& from, RenameSide& to, const Interrupted& interrupted);
  Status redirect_metacopy(const InodeRef& inode, const InodeRef& directory, const std::string& name,
                           const Interrupted& interrupted);
  Status replace_name(RenameSide& from, RenameSide& to);
  Status exchange_names(RenameSide& from, RenameSide& to, Attempt* attempt);
  static Result<std::uint64_t> upper_number(const RenameSide& side);
  [[nodiscard]] bool exchanges(const RenameSide& from, const RenameSide& to) const;
  Status finish_exchange(const RenameSide& from, std::uint64_t replaced);
  Result<bool> finish_rename(RenameSide& from, RenameSide& to, RenameMode mode, const Attempt::Evidence& evidence);
  Status rename_onto(RenameSide& from, RenameSide& to, const Interrupted& interrupted, Attempt* attempt);
  void moved(const InodeRef& inode, const RenameSide& to);
  void note_moved(const RenameSide& from, const RenameSide& to, RenameMode mode);

  // listing.cc
  Result<ListingRef> list_inode(Inode& directory);
  Status list_upper(Inode& directory, const LowerChildren& below, Listing& into, std::vector<std::string>& hidden);

  const Options options_;
  const MarkNames marks_;
  const LowerStack lowers_;
  const HashSecret secret_;          // of keys by path; the same in every worker of the mount
  RealFileRef upper_;                // null: read-only
  sys::FileDescriptor quiet_upper_;  // the upper, where reading changes no access times; if they must not change
  UpperFiles upper_files_;
  WorkDirectory work_;
  CopyBuilder copies_;
  ObjectMaker maker_;
  TreeLock tree_;
  std::mutex resolving_;  // held below the tree lock, above all others
  InodeTable table_;
  InodeRef root_;
  FileCache directories_, files_;
  RecentLists lists_{most_listed_names};
  std::atomic<std::uint64_t> forgotten_{0};  // since memory was trimmed
  LinkedNames linked_names_;
  GroupPlaces group_places_;
  std::atomic<std::uint64_t> names_version_{1};  // raised by every name that is removed or moved
  std::atomic<std::uint64_t> copy_ups_{0};
};

}  // namespace lamina::overlay
