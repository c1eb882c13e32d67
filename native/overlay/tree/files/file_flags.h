// The flags of chattr(1), and what "immutable" and "append only" forbid for content.
#pragma once

#include <linux/fs.h>

#include <cstdint>

#include "overlay/inodes/tree_lock.h"
#include "overlay/tree/copy_up/copier.h"
#include "overlay/tree/copy_up/copy_builder.h"
#include "overlay/tree/lookup/lower_stack.h"
#include "overlay/tree/lookup/resolver.h"
#include "overlay/tree/lookup/upper_places.h"
#include "overlay/upper/upper_files.h"
#include "sys/file_descriptor.h"

namespace lamina::overlay {

class FileFlags {
 public:
  FileFlags(TreeLock& tree, const LowerStack& lowers, UpperFiles& upper_files, UpperPlaces& places, Resolver& resolver,
            CopyBuilder& copies, Copier& copier)
      : tree_(tree),
        lowers_(lowers),
        upper_files_(upper_files),
        places_(places),
        resolver_(resolver),
        copies_(copies),
        copier_(copier) {}

  // As FileSystem's.
  Result<std::uint32_t> get(NodeId node);
  Status set(NodeId node, std::uint32_t flags);
  Result<fsxattr> get_extended(NodeId node);
  Status set_extended(NodeId node, const fsxattr& flags);
  Status may_write(NodeId node, bool appends);

 private:
  Result<sys::FileDescriptor> open(Inode& inode);
  template <typename Flags, typename Set>
  Status change(NodeId node, const Flags& flags, Set set_on);

  TreeLock& tree_;
  const LowerStack& lowers_;
  UpperFiles& upper_files_;
  UpperPlaces& places_;
  Resolver& resolver_;
  CopyBuilder& copies_;
  Copier& copier_;
};

}  // namespace lamina::overlay
