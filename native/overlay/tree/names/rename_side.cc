#include "overlay/tree/names/rename_side.h"

namespace lamina::overlay {

Result<RenameSide> RenameSides::begin(NodeId parent, std::string_view name) {
  RenameSide side;
  LAMINA_ASSIGN(side.directory, directories_.get(parent, name));
  side.name = name;
  LAMINA_ASSIGN(side.place, places_.directory(*side.directory));
  return side;
}

Result<RenameSide> RenameSides::place(NodeId parent, std::string_view name) {
  LAMINA_ASSIGN(RenameSide side, begin(parent, name));
  LAMINA_ASSIGN(side.below, names_.visible_below(*side.directory, name));
  return side;
}

Result<RenameSide> RenameSides::find(NodeId parent, std::string_view name) {
  LAMINA_ASSIGN(RenameSide side, begin(parent, name));
  LAMINA_ASSIGN(side.found, names_.find(*side.directory, name));
  LAMINA_ASSIGN(side.below, names_.visible_below(*side.directory, name, side.found));
  if (side.found.visible()) {
    LAMINA_ASSIGN(side.inode, resolver_.intern(side.directory, name, side.found));
    table_.forget(side.inode->id, 1);
  }
  return side;
}

}  // namespace lamina::overlay
