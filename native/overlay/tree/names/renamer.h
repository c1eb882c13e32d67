// Renaming. Never EXDEV: a directory that a lower has gets a redirect, or is copied up whole (RenamePreparation).
#pragma once

#include <cstdint>
#include <string_view>

#include "overlay/inodes/inode_table.h"
#include "overlay/inodes/tree_lock.h"
#include "overlay/tree/links/group_places.h"
#include "overlay/tree/links/link_groups.h"
#include "overlay/tree/lookup/inode_keys.h"
#include "overlay/tree/lookup/listings.h"
#include "overlay/tree/lookup/name_lookup.h"
#include "overlay/tree/lookup/upper_places.h"
#include "overlay/tree/names/removed_inodes.h"
#include "overlay/tree/names/rename_preparation.h"
#include "overlay/tree/names/rename_side.h"
#include "overlay/upper/upper_files.h"
#include "overlay/upper/work_directory.h"

namespace lamina::overlay {

class Renamer {
 public:
  Renamer(const Options& options, TreeLock& tree, const InodeKeys& keys, UpperFiles& upper_files, WorkDirectory& work,
          Listings& listings, NameLookup& names, InodeTable& table, LinkGroups& groups, GroupPlaces& group_places,
          RemovedInodes& removed, RenameSides& sides, RenamePreparation& preparation)
      : synchronous_(options.synchronous),
        tree_(tree),
        keys_(keys),
        upper_files_(upper_files),
        work_(work),
        listings_(listings),
        names_(names),
        table_(table),
        groups_(groups),
        group_places_(group_places),
        removed_(removed),
        sides_(sides),
        preparation_(preparation) {}

  // As FileSystem's.
  Status rename(NodeId parent, std::string_view name, NodeId new_parent, std::string_view new_name, RenameMode mode,
                const Interrupted& interrupted, Attempt* attempt);

 private:
  Status rename_onto(RenameSide& from, RenameSide& to, const Interrupted& interrupted, Attempt* attempt);
  Status replace_name(RenameSide& from, RenameSide& to);
  Status exchange_names(RenameSide& from, RenameSide& to, Attempt* attempt);
  static Result<std::uint64_t> upper_number(const RenameSide& side);
  [[nodiscard]] bool exchanges(const RenameSide& from, const RenameSide& to) const;
  Status finish_exchange(const RenameSide& from, std::uint64_t replaced);
  Result<bool> finish_rename(RenameSide& from, RenameSide& to, RenameMode mode, const Attempt::Evidence& evidence);
  void moved(const InodeRef& inode, const RenameSide& to);
  void note_moved(const RenameSide& from, const RenameSide& to, RenameMode mode);

  const bool synchronous_;
  TreeLock& tree_;
  const InodeKeys& keys_;
  UpperFiles& upper_files_;
  WorkDirectory& work_;
  Listings& listings_;
  NameLookup& names_;
  InodeTable& table_;
  LinkGroups& groups_;
  GroupPlaces& group_places_;
  RemovedInodes& removed_;
  RenameSides& sides_;
  RenamePreparation& preparation_;
};

}  // namespace lamina::overlay
