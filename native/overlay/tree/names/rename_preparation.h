// What a source needs before a rename, so that its content is the same under the new name.
#pragma once

#include "overlay/layers/marks.h"
#include "overlay/tree/copy_up/copier.h"
#include "overlay/tree/copy_up/directory_copier.h"
#include "overlay/tree/lookup/inode_numbers.h"
#include "overlay/tree/lookup/upper_places.h"
#include "overlay/tree/names/redirect_writer.h"
#include "overlay/tree/names/rename_side.h"
#include "overlay/upper/upper_files.h"

namespace lamina::overlay {

class RenamePreparation {
 public:
  RenamePreparation(const Options& options, const MarkNames& marks, InodeNumbers& numbers, UpperFiles& upper_files,
                    UpperPlaces& places, Copier& copier, DirectoryCopier& directory_copier, RedirectWriter& redirects)
      : makes_redirects_(options.redirect_dir && !options.user_xattr),
        marks_(marks),
        numbers_(numbers),
        upper_files_(upper_files),
        places_(places),
        copier_(copier),
        directory_copier_(directory_copier),
        redirects_(redirects) {}

  // It is in the upper afterwards; a directory that a lower has is redirected, or copied up whole where redirects are
  // off or do not fit.
  Status source(RenameSide& from, RenameSide& to, const Interrupted& interrupted);

 private:
  Status directory(RenameSide& from, RenameSide& to, const Interrupted& interrupted);

  const bool makes_redirects_;
  const MarkNames& marks_;
  InodeNumbers& numbers_;
  UpperFiles& upper_files_;
  UpperPlaces& places_;
  Copier& copier_;
  DirectoryCopier& directory_copier_;
  RedirectWriter& redirects_;
};

}  // namespace lamina::overlay
