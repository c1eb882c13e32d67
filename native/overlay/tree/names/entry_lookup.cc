#include "overlay/tree/names/entry_lookup.h"

namespace lamina::overlay {

using sys::Errno;

Result<Entry> EntryLookup::lookup(NodeId parent, std::string_view name) {
  if (name == ".") {
    InodeRef inode;
    {
      TreeLock::Shared lock(tree_);
      LAMINA_ASSIGN(inode, revival_.revive(parent));
    }
    return attributes_.entry(inode);
  }
  Found found;
  InodeRef inode;
  {
    TreeLock::Shared lock(tree_);
    LAMINA_ASSIGN(const InodeRef directory, resolver_.get(parent));
    if (name == "..") {
      inode = directory->parent ? directory->parent : directory;
      table_.raise(inode);
    } else {
      if (!directory->is_directory()) return Errno{ENOTDIR};
      LAMINA_ASSIGN(found, names_.find(*directory, name));
      if (!found.visible()) return Errno{ENOENT};
      LAMINA_ASSIGN(inode, resolver_.intern(directory, name, found));
    }
  }
  return found.visible() ? attributes_.entry(inode, found) : attributes_.entry(inode);
}

}  // namespace lamina::overlay
