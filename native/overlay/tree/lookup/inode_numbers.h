// The st_ino of what the upper holds: its own, or the one that it had in a lower before it was copied up, which a mark
// keeps.
#pragma once

#include <cstdint>
#include <optional>

#include "overlay/inodes/inode.h"
#include "overlay/layers/marks.h"
#include "overlay/tree/lookup/lower_stack.h"
#include "overlay/upper/upper_files.h"

namespace lamina::overlay {

class InodeNumbers {
 public:
  InodeNumbers(const Options& options, const MarkNames& marks, const LowerStack& lowers, UpperFiles& files)
      : user_xattr_(options.user_xattr), marks_(marks), lowers_(lowers), files_(files) {}
  // The number of the upper itself in its file system. Set once, before all else.
  void set_upper(std::uint64_t number) { upper_ = number; }

  // The number that a mark gives an entry with the number `own` in the upper's file system; none where there is no
  // valid mark. The number of another stack may belong to something else in this one.
  [[nodiscard]] Result<std::optional<std::uint64_t>> marked(const Location& location, std::uint64_t own) const;
  // The same, or its own where there is none.
  [[nodiscard]] Result<std::uint64_t> of(const Location& location, std::uint64_t own) const;
  // Marks an object of the upper, whose own number is `own`, so that the inode keeps its st_ino.
  Status mark(const Inode& inode, const UpperPlace& place, std::uint64_t own);

 private:
  const bool user_xattr_;
  const MarkNames& marks_;
  const LowerStack& lowers_;
  UpperFiles& files_;
  std::uint64_t upper_ = 0;
};

}  // namespace lamina::overlay
