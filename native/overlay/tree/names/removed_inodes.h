// Inodes that lose a name, by a removal or because a rename replaces it.
#pragma once

#include <string_view>

#include "overlay/inodes/file_cache.h"
#include "overlay/inodes/inode_table.h"
#include "overlay/tree/links/link_groups.h"
#include "overlay/tree/lookup/found.h"
#include "overlay/tree/lookup/inode_keys.h"
#include "overlay/tree/lookup/lower_stack.h"
#include "overlay/tree/lookup/restored_inodes.h"
#include "overlay/tree/lookup/upper_places.h"

namespace lamina::overlay {

class RemovedInodes {
 public:
  RemovedInodes(const LowerStack& lowers, const InodeKeys& keys, UpperPlaces& places, RestoredInodes& restored,
                InodeTable& table, LinkGroups& groups, FileCache& open_files)
      : lowers_(lowers),
        keys_(keys),
        places_(places),
        restored_(restored),
        table_(table),
        groups_(groups),
        open_files_(open_files) {}

  // The inode that is about to lose a name, with a descriptor of its real file, so that open files keep it. Null where
  // the inode is not known.
  Result<InodeRef> pin(const InodeRef& parent, std::string_view name, const Found& found);
  // The name is removed. An inode that was known by another name keeps that.
  void unlinked(const InodeRef& victim, const InodeRef& parent, std::string_view name);

 private:
  const LowerStack& lowers_;
  const InodeKeys& keys_;
  UpperPlaces& places_;
  RestoredInodes& restored_;
  InodeTable& table_;
  LinkGroups& groups_;
  FileCache& open_files_;
};

}  // namespace lamina::overlay
