// From a node, from what a lookup has found, or from a path, to an inode that is ready for use. The tree lock is held.
#pragma once

#include <string_view>

#include "overlay/inodes/inode_table.h"
#include "overlay/tree/lookup/found.h"
#include "overlay/tree/lookup/inode_keys.h"
#include "overlay/tree/lookup/inode_numbers.h"
#include "overlay/tree/lookup/lower_stack.h"
#include "overlay/tree/lookup/name_lookup.h"
#include "overlay/tree/lookup/restored_inodes.h"
#include "overlay/tree/lookup/upper_places.h"

namespace lamina::overlay {

class Resolver {
 public:
  Resolver(const LowerStack& lowers, const InodeNumbers& numbers, const InodeKeys& keys, UpperPlaces& places,
           NameLookup& names, RestoredInodes& restored, InodeTable& table)
      : lowers_(lowers),
        numbers_(numbers),
        keys_(keys),
        places_(places),
        names_(names),
        restored_(restored),
        table_(table) {}

  // The inode of a node.
  Result<InodeRef> get(NodeId node);
  // The inode of what was found under a name, and is visible; its lookup count is raised.
  Result<InodeRef> intern(const InodeRef& parent, std::string_view name, const Found& found);
  // The inode at a path of the merged tree, its lookup count raised; null where there is none.
  Result<InodeRef> at_path(std::string_view path);

 private:
  Result<std::uint64_t> number_of(const InodeRef& parent, std::string_view name, const Found& found);

  const LowerStack& lowers_;
  const InodeNumbers& numbers_;
  const InodeKeys& keys_;
  UpperPlaces& places_;
  NameLookup& names_;
  RestoredInodes& restored_;
  InodeTable& table_;
};

}  // namespace lamina::overlay
