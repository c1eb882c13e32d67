// All names of a file, and all paths below a name: to check that a protected path is not changed by another name.
#pragma once

#include <string_view>

#include "overlay/inodes/inode_table.h"
#include "overlay/inodes/tree_lock.h"
#include "overlay/tree/links/link_groups.h"
#include "overlay/tree/links/linked_names.h"
#include "overlay/tree/lookup/listings.h"
#include "overlay/tree/lookup/name_lookup.h"
#include "overlay/tree/lookup/resolver.h"
#include "overlay/tree/lookup/upper_places.h"

namespace lamina::overlay {

class NameTests {
 public:
  NameTests(TreeLock& tree, UpperPlaces& places, Listings& listings, NameLookup& names, Resolver& resolver,
            InodeTable& table, LinkGroups& groups, LinkedNames& linked_names)
      : tree_(tree),
        places_(places),
        listings_(listings),
        names_(names),
        resolver_(resolver),
        table_(table),
        groups_(groups),
        linked_names_(linked_names) {}

  using PathTest = FileSystem::PathTest;
  // As FileSystem's.
  Result<bool> any_name(NodeId node, const PathTest& test);
  Result<bool> any_below(NodeId parent, std::string_view name, const PathTest& test);

 private:
  TreeLock& tree_;
  UpperPlaces& places_;
  Listings& listings_;
  NameLookup& names_;
  Resolver& resolver_;
  InodeTable& table_;
  LinkGroups& groups_;
  LinkedNames& linked_names_;
};

}  // namespace lamina::overlay
