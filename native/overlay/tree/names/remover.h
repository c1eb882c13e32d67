// Removal of names. A name that a lower shows leaves a whiteout.
#pragma once

#include <string_view>

#include "overlay/inodes/inode_table.h"
#include "overlay/inodes/tree_lock.h"
#include "overlay/tree/lookup/inode_keys.h"
#include "overlay/tree/lookup/listings.h"
#include "overlay/tree/lookup/name_lookup.h"
#include "overlay/tree/lookup/resolver.h"
#include "overlay/tree/lookup/upper_places.h"
#include "overlay/tree/names/removed_inodes.h"
#include "overlay/tree/names/writable_directories.h"
#include "overlay/upper/upper_files.h"
#include "overlay/upper/work_directory.h"

namespace lamina::overlay {

class Remover {
 public:
  Remover(TreeLock& tree, const InodeKeys& keys, UpperFiles& upper_files, WorkDirectory& work, UpperPlaces& places,
          Listings& listings, NameLookup& names, Resolver& resolver, InodeTable& table,
          WritableDirectories& directories, RemovedInodes& removed)
      : tree_(tree),
        keys_(keys),
        upper_files_(upper_files),
        work_(work),
        places_(places),
        listings_(listings),
        names_(names),
        resolver_(resolver),
        table_(table),
        directories_(directories),
        removed_(removed) {}

  Status file(NodeId parent, std::string_view name, Attempt* attempt);       // unlink(2)
  Status directory(NodeId parent, std::string_view name, Attempt* attempt);  // rmdir(2)

 private:
  Status remove(NodeId parent, std::string_view name, bool is_rmdir, Attempt* attempt);
  Status remove_name(const InodeRef& holder, std::string_view name, const Found& found, Attempt* attempt);

  TreeLock& tree_;
  const InodeKeys& keys_;
  UpperFiles& upper_files_;
  WorkDirectory& work_;
  UpperPlaces& places_;
  Listings& listings_;
  NameLookup& names_;
  Resolver& resolver_;
  InodeTable& table_;
  WritableDirectories& directories_;
  RemovedInodes& removed_;
};

}  // namespace lamina::overlay
