// Further names of a file: link(2).
#pragma once

#include <string_view>

#include "overlay/inodes/inode_table.h"
#include "overlay/inodes/tree_lock.h"
#include "overlay/tree/copy_up/copier.h"
#include "overlay/tree/files/inode_attributes.h"
#include "overlay/tree/lookup/name_lookup.h"
#include "overlay/tree/lookup/resolver.h"
#include "overlay/tree/lookup/upper_places.h"
#include "overlay/tree/names/object_maker.h"
#include "overlay/tree/names/redirect_writer.h"
#include "overlay/tree/names/writable_directories.h"

namespace lamina::overlay {

class Linker {
 public:
  Linker(TreeLock& tree, UpperPlaces& places, NameLookup& names, Resolver& resolver, InodeTable& table, Copier& copier,
         InodeAttributes& attributes, ObjectMaker& maker, WritableDirectories& directories, RedirectWriter& redirects)
      : tree_(tree),
        places_(places),
        names_(names),
        resolver_(resolver),
        table_(table),
        copier_(copier),
        attributes_(attributes),
        maker_(maker),
        directories_(directories),
        redirects_(redirects) {}

  // As FileSystem's.
  Result<Entry> make(NodeId node, NodeId parent, std::string_view name, const Interrupted& interrupted,
                     Attempt* attempt);

 private:
  Status copy_up_for_link(const InodeRef& inode, const Interrupted& interrupted);

  TreeLock& tree_;
  UpperPlaces& places_;
  NameLookup& names_;
  Resolver& resolver_;
  InodeTable& table_;
  Copier& copier_;
  InodeAttributes& attributes_;
  ObjectMaker& maker_;
  WritableDirectories& directories_;
  RedirectWriter& redirects_;
};

}  // namespace lamina::overlay
