// The real files behind regular files, and the targets of symlinks.
#pragma once

#include <string>
#include <utility>

#include "overlay/inodes/file_cache.h"
#include "overlay/inodes/tree_lock.h"
#include "overlay/tree/copy_up/copier.h"
#include "overlay/tree/lookup/lower_stack.h"
#include "overlay/tree/lookup/resolver.h"
#include "overlay/tree/lookup/upper_places.h"
#include "overlay/upper/upper_files.h"
#include "sys/file_descriptor.h"

namespace lamina::overlay {

class FileContents {
 public:
  // `quiet_upper`: the upper, where reading changes no access times; only where they must not change.
  FileContents(TreeLock& tree, const LowerStack& lowers, UpperFiles& upper_files, sys::FileDescriptor quiet_upper,
               UpperPlaces& places, Resolver& resolver, Copier& copier, FileCache& open_files)
      : tree_(tree),
        lowers_(lowers),
        upper_files_(upper_files),
        quiet_upper_(std::move(quiet_upper)),
        places_(places),
        resolver_(resolver),
        copier_(copier),
        open_files_(open_files) {}

  // As FileSystem's.
  Result<RealFileRef> file(NodeId node, Access access, const Interrupted& interrupted);
  Result<std::string> read_link(NodeId node);
  Status sync(NodeId node, bool data_only);

 private:
  Result<RealFileRef> file_to_sync(NodeId node);

  TreeLock& tree_;
  const LowerStack& lowers_;
  UpperFiles& upper_files_;
  const sys::FileDescriptor quiet_upper_;
  UpperPlaces& places_;
  Resolver& resolver_;
  Copier& copier_;
  FileCache& open_files_;
};

}  // namespace lamina::overlay
