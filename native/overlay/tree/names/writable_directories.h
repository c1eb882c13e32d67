// Directories whose names are about to change.
#pragma once

#include <string_view>

#include "overlay/tree/copy_up/copier.h"
#include "overlay/tree/lookup/resolver.h"
#include "overlay/tree/lookup/upper_places.h"
#include "overlay/tree/names/object_maker.h"

namespace lamina::overlay {

class WritableDirectories {
 public:
  WritableDirectories(const Options& options, UpperPlaces& places, Resolver& resolver, Copier& copier,
                      ObjectMaker& maker)
      : whiteout_files_(options.whiteout_files), places_(places), resolver_(resolver), copier_(copier), maker_(maker) {}

  // A directory in the upper in which `name` may be made. The tree lock is held.
  Result<InodeRef> get(NodeId parent, std::string_view name);

 private:
  const bool whiteout_files_;
  UpperPlaces& places_;
  Resolver& resolver_;
  Copier& copier_;
  ObjectMaker& maker_;
};

}  // namespace lamina::overlay
