// A worker that died while it copied up a hard-link group leaves a complete copy under some of its names.
#pragma once

#include <cstdint>

#include "overlay/inodes/inode_table.h"
#include "overlay/tree/links/group_places.h"
#include "overlay/tree/links/link_groups.h"
#include "overlay/tree/lookup/inode_numbers.h"
#include "overlay/tree/lookup/lower_stack.h"
#include "overlay/tree/lookup/name_lookup.h"
#include "overlay/tree/lookup/upper_places.h"
#include "overlay/upper/upper_files.h"

namespace lamina::overlay {

class InterruptedGroups {
 public:
  InterruptedGroups(const LowerStack& lowers, const InodeNumbers& numbers, UpperFiles& upper_files, UpperPlaces& places,
                    NameLookup& names, InodeTable& table, LinkGroups& groups, GroupPlaces& group_places)
      : lowers_(lowers),
        numbers_(numbers),
        upper_files_(upper_files),
        places_(places),
        names_(names),
        table_(table),
        groups_(groups),
        group_places_(group_places) {}

  // Links the other names to that copy. `key` and `ino` are the group's.
  Status finish(const InodeKey& key, std::uint64_t ino);

 private:
  const LowerStack& lowers_;
  const InodeNumbers& numbers_;
  UpperFiles& upper_files_;
  UpperPlaces& places_;
  NameLookup& names_;
  InodeTable& table_;
  LinkGroups& groups_;
  GroupPlaces& group_places_;
};

}  // namespace lamina::overlay
