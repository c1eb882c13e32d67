// Redirects in the upper: by which a directory or metacopy under a new name finds what the lowers have of it.
#pragma once

#include <cerrno>
#include <string>

#include "overlay/layers/marks.h"
#include "overlay/tree/copy_up/copier.h"
#include "overlay/tree/lookup/upper_places.h"
#include "overlay/upper/upper_files.h"

namespace lamina::overlay {

// A path may be longer than the space left for attributes: ext4 keeps them in one block.
[[nodiscard]] inline bool lacks_room(const Status& marked) {
  return marked.failed_with(ENOSPC) || marked.failed_with(E2BIG);
}

class RedirectWriter {
 public:
  RedirectWriter(const MarkNames& marks, UpperFiles& upper_files, UpperPlaces& places, Copier& copier)
      : marks_(marks), upper_files_(upper_files), places_(places), copier_(copier) {}

  // The path, with a leading slash, at which the lowers by themselves show what lies below a name of the upper: what an
  // absolute redirect must say (ovl_get_redirect() of fs/overlayfs/dir.c). Not the path that it has in its own layer:
  // those above may have renamed a directory on the way.
  Result<std::string> lower_path(InodeRef directory, std::string name);
  // A metacopy under another name finds its data by an absolute redirect, or has it where a redirect finds no room.
  // `directory` and `name` are where the file is now.
  Status mark_metacopy(const InodeRef& inode, const InodeRef& directory, const std::string& name,
                       const Interrupted& interrupted);

 private:
  const MarkNames& marks_;
  UpperFiles& upper_files_;
  UpperPlaces& places_;
  Copier& copier_;
};

}  // namespace lamina::overlay
