// New files, directories, symlinks, special files, and files without a name.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "overlay/inodes/file_cache.h"
#include "overlay/inodes/inode_table.h"
#include "overlay/inodes/tree_lock.h"
#include "overlay/tree/files/inode_attributes.h"
#include "overlay/tree/lookup/name_lookup.h"
#include "overlay/tree/lookup/resolver.h"
#include "overlay/tree/lookup/upper_places.h"
#include "overlay/tree/names/object_maker.h"
#include "overlay/tree/names/writable_directories.h"
#include "overlay/upper/work_directory.h"

namespace lamina::overlay {

class Creator {
 public:
  Creator(TreeLock& tree, WorkDirectory& work, UpperPlaces& places, NameLookup& names, Resolver& resolver,
          InodeTable& table, FileCache& open_files, InodeAttributes& attributes, ObjectMaker& maker,
          WritableDirectories& directories)
      : tree_(tree),
        work_(work),
        places_(places),
        names_(names),
        resolver_(resolver),
        table_(table),
        open_files_(open_files),
        attributes_(attributes),
        maker_(maker),
        directories_(directories) {}

  // As FileSystem's.
  Result<Entry> make_node(NodeId parent, std::string_view name, std::uint32_t mode, std::uint32_t rdev_major,
                          std::uint32_t rdev_minor, const Caller& caller, Attempt* attempt);
  Result<Entry> make_directory(NodeId parent, std::string_view name, std::uint32_t mode, const Caller& caller,
                               Attempt* attempt);
  Result<Entry> make_symlink(NodeId parent, std::string_view name, std::string_view target, const Caller& caller,
                             Attempt* attempt);
  // Runs `rename`, which moves the name away, and leaves a character device 0:0 under it: RENAME_WHITEOUT of
  // renameat2(2). The device is the driver's.
  Status leave_device(NodeId parent, std::string_view name, const std::function<Status()>& rename);
  Result<Entry> make_unnamed(NodeId parent, std::uint32_t mode, const Caller& caller);

 private:
  Result<Entry> make(NodeId parent, std::string_view name, const Creation& creation, const Caller& caller,
                     Attempt* attempt);
  Status make_at(Inode& parent, int directory, std::string_view name, const Creation& creation, const Caller& caller,
                 RealFileRef& opened);
  Result<bool> make_where_nothing_is(Inode& parent, int directory, std::string_view name, const Creation& creation,
                                     std::uint32_t mode, RealFileRef& opened);

  TreeLock& tree_;
  WorkDirectory& work_;
  UpperPlaces& places_;
  NameLookup& names_;
  Resolver& resolver_;
  InodeTable& table_;
  FileCache& open_files_;
  InodeAttributes& attributes_;
  ObjectMaker& maker_;
  WritableDirectories& directories_;
};

}  // namespace lamina::overlay
