// Copy-up of what lies below a directory that is to be renamed.
#pragma once

#include "overlay/inodes/inode_table.h"
#include "overlay/layers/marks.h"
#include "overlay/tree/copy_up/copier.h"
#include "overlay/tree/links/link_groups.h"
#include "overlay/tree/lookup/listings.h"
#include "overlay/tree/lookup/lower_stack.h"
#include "overlay/tree/lookup/name_lookup.h"
#include "overlay/tree/lookup/resolver.h"
#include "overlay/tree/lookup/upper_places.h"
#include "overlay/upper/upper_files.h"

namespace lamina::overlay {

class DirectoryCopier {
 public:
  DirectoryCopier(const MarkNames& marks, const LowerStack& lowers, UpperFiles& upper_files, UpperPlaces& places,
                  Listings& listings, NameLookup& names, Resolver& resolver, InodeTable& table, LinkGroups& groups,
                  Copier& copier)
      : marks_(marks),
        lowers_(lowers),
        upper_files_(upper_files),
        places_(places),
        listings_(listings),
        names_(names),
        resolver_(resolver),
        table_(table),
        groups_(groups),
        copier_(copier) {}

  // The directory and all below it, so that it needs no redirect.
  Status copy_up_tree(const InodeRef& directory, const Interrupted& interrupted);
  // Hard-link groups with names below the directory: the index keeps their old paths.
  Status copy_up_links_below(const InodeRef& directory, const Interrupted& interrupted);

 private:
  const MarkNames& marks_;
  const LowerStack& lowers_;
  UpperFiles& upper_files_;
  UpperPlaces& places_;
  Listings& listings_;
  NameLookup& names_;
  Resolver& resolver_;
  InodeTable& table_;
  LinkGroups& groups_;
  Copier& copier_;
};

}  // namespace lamina::overlay
