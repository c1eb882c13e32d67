// chmod, chown, utimensat and truncate.
#pragma once

#include "overlay/inodes/tree_lock.h"
#include "overlay/tree/copy_up/copier.h"
#include "overlay/tree/files/file_contents.h"
#include "overlay/tree/files/inode_attributes.h"
#include "overlay/tree/lookup/resolver.h"
#include "overlay/tree/lookup/upper_places.h"
#include "overlay/upper/upper_files.h"

namespace lamina::overlay {

class AttributeChanges {
 public:
  AttributeChanges(TreeLock& tree, UpperFiles& upper_files, UpperPlaces& places, Resolver& resolver, Copier& copier,
                   FileContents& contents, InodeAttributes& attributes)
      : tree_(tree),
        upper_files_(upper_files),
        places_(places),
        resolver_(resolver),
        copier_(copier),
        contents_(contents),
        attributes_(attributes) {}

  // The attributes afterwards.
  Result<Attributes> make(NodeId node, const SetAttributes& change, const Interrupted& interrupted);

 private:
  TreeLock& tree_;
  UpperFiles& upper_files_;
  UpperPlaces& places_;
  Resolver& resolver_;
  Copier& copier_;
  FileContents& contents_;
  InodeAttributes& attributes_;
};

}  // namespace lamina::overlay
