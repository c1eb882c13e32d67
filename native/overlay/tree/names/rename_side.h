// One name of a rename.
#pragma once

#include <string>
#include <string_view>

#include "overlay/inodes/inode_table.h"
#include "overlay/tree/lookup/found.h"
#include "overlay/tree/lookup/name_lookup.h"
#include "overlay/tree/lookup/resolver.h"
#include "overlay/tree/lookup/upper_places.h"
#include "overlay/tree/names/writable_directories.h"

namespace lamina::overlay {

struct RenameSide {
  InodeRef directory;
  RealFileRef place;
  std::string name;
  Found found;
  InodeRef inode;        // where something is there; holds no lookup count
  bool below = false;    // a lower shows the name, so a whiteout or an opaque directory must hide it
  std::string redirect;  // the path in the lowers that it was redirected to for this rename
  [[nodiscard]] int descriptor() const { return place->descriptor(); }
  [[nodiscard]] bool is_directory() const { return inode && inode->is_directory(); }
};

class RenameSides {
 public:
  RenameSides(UpperPlaces& places, NameLookup& names, Resolver& resolver, InodeTable& table,
              WritableDirectories& directories)
      : places_(places), names_(names), resolver_(resolver), table_(table), directories_(directories) {}

  // The place of a name, existing or not, without what is found there.
  Result<RenameSide> place(NodeId parent, std::string_view name);
  Result<RenameSide> find(NodeId parent, std::string_view name);

 private:
  Result<RenameSide> begin(NodeId parent, std::string_view name);

  UpperPlaces& places_;
  NameLookup& names_;
  Resolver& resolver_;
  InodeTable& table_;
  WritableDirectories& directories_;
};

}  // namespace lamina::overlay
