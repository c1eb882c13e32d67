// Extended attributes as users see them: overlay marks hidden, those of a nested overlay under their own names.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "overlay/inodes/tree_lock.h"
#include "overlay/layers/marks.h"
#include "overlay/tree/copy_up/copier.h"
#include "overlay/tree/lookup/lower_stack.h"
#include "overlay/tree/lookup/resolver.h"
#include "overlay/tree/lookup/upper_places.h"
#include "overlay/upper/upper_files.h"

namespace lamina::overlay {

class Xattrs {
 public:
  Xattrs(const Options& options, const MarkNames& marks, TreeLock& tree, const LowerStack& lowers,
         UpperFiles& upper_files, UpperPlaces& places, Resolver& resolver, Copier& copier)
      : hide_trusted_(options.hide_trusted),
        marks_(marks),
        tree_(tree),
        lowers_(lowers),
        upper_files_(upper_files),
        places_(places),
        resolver_(resolver),
        copier_(copier) {}

  // As FileSystem's.
  Result<std::vector<std::byte>> get(NodeId node, std::string_view name);
  Result<std::string> names(NodeId node);
  Status set(NodeId node, std::string_view name, std::span<const std::byte> value, int flags, Attempt* attempt);
  Status remove(NodeId node, std::string_view name, Attempt* attempt);

 private:
  const bool hide_trusted_;
  const MarkNames& marks_;
  TreeLock& tree_;
  const LowerStack& lowers_;
  UpperFiles& upper_files_;
  UpperPlaces& places_;
  Resolver& resolver_;
  Copier& copier_;
};

}  // namespace lamina::overlay
