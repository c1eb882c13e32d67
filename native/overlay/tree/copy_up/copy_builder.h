// Builds the copy of a lower's object in the work directory: type, data, attributes, and the marks that go with them.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

#include "overlay/file_system.h"
#include "overlay/inodes/inode.h"
#include "overlay/layers/marks.h"
#include "overlay/tree/lookup/inode_numbers.h"
#include "overlay/tree/lookup/lower_stack.h"
#include "overlay/upper/escaped_whiteouts.h"
#include "overlay/upper/upper_files.h"
#include "overlay/upper/work_directory.h"

namespace lamina::overlay {

// What a copy must have at once: the attributes (the data may stay in the lower: a metacopy), the data too, or neither,
// for the content is about to be replaced.
enum class CopyUp { attributes, data, no_data };

class CopyBuilder {
 public:
  CopyBuilder(const MarkNames& marks, const LowerStack& lowers, InodeNumbers& numbers, UpperFiles& files,
              EscapedWhiteouts& escaped, WorkDirectory& work)
      : marks_(marks), lowers_(lowers), numbers_(numbers), files_(files), escaped_(escaped), work_(work) {}

  // Builds a copy of `entry`, the inode's entry at `source`, under a name of the work directory. Returns the copy's
  // number in the upper's file system.
  Result<std::uint64_t> build(Inode& inode, const LowerPlace& source, const LowerEntry& entry, std::string_view name,
                              CopyUp what, const Interrupted& interrupted);
  // Sets or removes the mark of "immutable" and "append only".
  Status mark_protection(const UpperPlace& place, const Protection& protection);
  // Copies the data of a lower's file into an empty one.
  Status copy_data(const LowerPlace& source, std::uint64_t size, int to, const Interrupted& interrupted);
  [[nodiscard]] std::uint64_t copied_bytes() const { return copied_bytes_.load(); }

 private:
  Status make(Inode& inode, const LowerPlace& source, const LowerEntry& entry, std::string_view name, CopyUp what,
              const Interrupted& interrupted);
  Status fill(Inode& inode, const LowerEntry& entry, std::string_view name, CopyUp what,
              const Interrupted& interrupted);
  Status copy_xattrs(const LowerPlace& source, std::string_view name);

  const MarkNames& marks_;
  const LowerStack& lowers_;
  InodeNumbers& numbers_;
  UpperFiles& files_;
  EscapedWhiteouts& escaped_;
  WorkDirectory& work_;
  std::atomic<std::uint64_t> copied_bytes_{0};
};

}  // namespace lamina::overlay
