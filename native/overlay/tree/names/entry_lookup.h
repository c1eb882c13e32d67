// From a directory and a name to a node.
#pragma once

#include <string_view>

#include "overlay/inodes/inode_table.h"
#include "overlay/inodes/tree_lock.h"
#include "overlay/tree/files/inode_attributes.h"
#include "overlay/tree/lookup/name_lookup.h"
#include "overlay/tree/lookup/resolver.h"
#include "overlay/tree/names/revival.h"

namespace lamina::overlay {

class EntryLookup {
 public:
  EntryLookup(TreeLock& tree, NameLookup& names, Resolver& resolver, InodeTable& table, InodeAttributes& attributes,
              Revival& revival)
      : tree_(tree), names_(names), resolver_(resolver), table_(table), attributes_(attributes), revival_(revival) {}

  // As FileSystem's.
  Result<Entry> lookup(NodeId parent, std::string_view name);

 private:
  TreeLock& tree_;
  NameLookup& names_;
  Resolver& resolver_;
  InodeTable& table_;
  InodeAttributes& attributes_;
  Revival& revival_;
};

}  // namespace lamina::overlay
