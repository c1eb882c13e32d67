// What stat(2) shows, and the answers to lookups.
#pragma once

#include "overlay/inodes/inode_table.h"
#include "overlay/inodes/tree_lock.h"
#include "overlay/tree/links/link_groups.h"
#include "overlay/tree/lookup/found.h"
#include "overlay/tree/lookup/lower_stack.h"
#include "overlay/tree/lookup/resolver.h"
#include "overlay/tree/lookup/upper_places.h"
#include "overlay/upper/upper_files.h"

namespace lamina::overlay {

class InodeAttributes {
 public:
  InodeAttributes(const Options& options, TreeLock& tree, const LowerStack& lowers, UpperFiles& upper_files,
                  UpperPlaces& places, Resolver& resolver, InodeTable& table, LinkGroups& groups)
      : static_nlink_(options.static_nlink),
        tree_(tree),
        lowers_(lowers),
        upper_files_(upper_files),
        places_(places),
        resolver_(resolver),
        table_(table),
        groups_(groups) {}

  // Takes the tree lock, as all below.
  Result<Attributes> of(NodeId node);
  // The answer to a lookup. The inode's lookup count was raised for it; where it fails, that is taken back.
  Result<Entry> entry(const InodeRef& inode);
  // The same, from what the lookup has found already, where that suffices.
  Result<Entry> entry(const InodeRef& inode, const Found& found);

 private:
  const bool static_nlink_;
  TreeLock& tree_;
  const LowerStack& lowers_;
  UpperFiles& upper_files_;
  UpperPlaces& places_;
  Resolver& resolver_;
  InodeTable& table_;
  LinkGroups& groups_;
};

}  // namespace lamina::overlay
