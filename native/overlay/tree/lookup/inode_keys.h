// The key by which the table knows what a lookup has found.
#pragma once

#include "overlay/inodes/node_store.h"
#include "overlay/tree/lookup/found.h"
#include "overlay/tree/lookup/lower_stack.h"
#include "overlay/tree/lookup/sip_hash.h"

namespace lamina::overlay {

class InodeKeys {
 public:
  explicit InodeKeys(const LowerStack& lowers) : lowers_(lowers), secret_(random_secret()) {}

  // Of what is visible.
  [[nodiscard]] Result<InodeKey> of(const Found& found) const;

 private:
  const LowerStack& lowers_;
  const HashSecret secret_;  // of keys by path; the same in every worker of the mount
};

}  // namespace lamina::overlay
