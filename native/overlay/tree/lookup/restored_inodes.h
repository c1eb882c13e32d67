// After a worker's death: the next one knows what the store kept of every inode, and finds the rest by the inode's
// name, when the inode is first used.
#pragma once

#include <atomic>
#include <mutex>

#include "overlay/inodes/inode.h"
#include "overlay/tree/lookup/inode_keys.h"
#include "overlay/tree/lookup/lower_stack.h"
#include "overlay/tree/lookup/name_lookup.h"

namespace lamina::overlay {

class RestoredInodes {
 public:
  RestoredInodes(const LowerStack& lowers, const InodeKeys& keys, NameLookup& names)
      : lowers_(lowers), keys_(keys), names_(names) {}

  // Makes an inode ready for use. The tree lock is held.
  Status resolve(const InodeRef& inode) {
    return inode->resolved.load(std::memory_order_acquire) ? Status() : resolve_now(inode);
  }

 private:
  Status resolve_now(const InodeRef& inode);
  Result<bool> resolve_named(Inode& inode);
  Status resolve_nameless(Inode& inode);
  Result<bool> shows_inode(Inode& inode, const Found& found);
  Result<LowerPlace> forgotten_lower(Inode& inode);

  const LowerStack& lowers_;
  const InodeKeys& keys_;
  NameLookup& names_;
  std::mutex resolving_;
};

}  // namespace lamina::overlay
