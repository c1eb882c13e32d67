// What the layers hold under a name of a merged directory.
#pragma once

#include <vector>

#include "overlay/inodes/inode.h"
#include "overlay/layers/protection.h"
#include "overlay/types.h"
#include "sys/status.h"

namespace lamina::overlay {

struct Found {
  bool visible = false;
  bool in_upper = false;           // the upper has an entry, maybe a whiteout
  bool unmarked = false;           // the upper's entry was made just now: it has none of our marks
  bool metacopy = false;           // of the upper's file
  Protection protection;           // of what is seen
  bool redirected = false;         // the upper's directory merges with lowers that are found by another path
  bool lacks_data = false;         // a metacopy, and the file below it was not found yet
  sys::FileStatus upper;           // where in_upper
  std::vector<LowerPlace> lowers;  // as Inode::lowers
  Attributes lower;                // of lowers[0], where there is one and it is what is seen
  [[nodiscard]] std::uint32_t type() const { return (in_upper ? upper.mode : lower.mode) & 0170000U; }
};

// True where a result means absence. No other failure does.
template <typename T>
[[nodiscard]] bool is_absent(const Result<T>& result) {
  return result.failed_with(ENOENT) || result.failed_with(ENOTDIR);
}

}  // namespace lamina::overlay
