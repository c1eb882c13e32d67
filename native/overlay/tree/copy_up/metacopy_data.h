// A metacopy, which has the attributes of a lower's file and not its data, becomes a whole file.
#pragma once

#include "overlay/inodes/file_cache.h"
#include "overlay/inodes/inode.h"
#include "overlay/layers/marks.h"
#include "overlay/tree/copy_up/copy_builder.h"
#include "overlay/tree/lookup/lower_stack.h"
#include "overlay/tree/lookup/upper_places.h"
#include "overlay/upper/upper_files.h"

namespace lamina::overlay {

class MetacopyData {
 public:
  MetacopyData(const Options& options, const MarkNames& marks, const LowerStack& lowers, UpperFiles& upper_files,
               UpperPlaces& places, CopyBuilder& copies, FileCache& open_files)
      : synchronous_(options.synchronous),
        marks_(marks),
        lowers_(lowers),
        upper_files_(upper_files),
        places_(places),
        copies_(copies),
        open_files_(open_files) {}

  // Inode::copy_up is held.
  Status complete(Inode& inode, const Interrupted& interrupted);

 private:
  const bool synchronous_;
  const MarkNames& marks_;
  const LowerStack& lowers_;
  UpperFiles& upper_files_;
  UpperPlaces& places_;
  CopyBuilder& copies_;
  FileCache& open_files_;
};

}  // namespace lamina::overlay
