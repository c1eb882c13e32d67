// Nodes that the kernel has forgotten, and a file handle names (open_by_handle_at(2)).
#pragma once

#include "overlay/inodes/inode_table.h"
#include "overlay/tree/links/link_groups.h"
#include "overlay/tree/lookup/lower_stack.h"
#include "overlay/tree/lookup/name_lookup.h"
#include "overlay/tree/lookup/resolver.h"
#include "overlay/upper/work_directory.h"

namespace lamina::overlay {

class Revival {
 public:
  Revival(const LowerStack& lowers, WorkDirectory& work, NameLookup& names, Resolver& resolver, InodeTable& table,
          LinkGroups& groups)
      : lowers_(lowers), work_(work), names_(names), resolver_(resolver), table_(table), groups_(groups) {}

  // The inode of a node, its lookup count raised; found again where the kernel had forgotten it. ESTALE once the file
  // is gone.
  Result<InodeRef> revive(NodeId node);

 private:
  Result<InodeRef> revive_nameless(NodeId node, const ForgottenNodes::Record& record);
  Result<std::uint32_t> links_of_lower(Inode& inode);

  const LowerStack& lowers_;
  WorkDirectory& work_;
  NameLookup& names_;
  Resolver& resolver_;
  InodeTable& table_;
  LinkGroups& groups_;
};

}  // namespace lamina::overlay
