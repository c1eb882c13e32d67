// From a directory and a name to what the layers hold there.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "overlay/inodes/inode_table.h"
#include "overlay/layers/marks.h"
#include "overlay/tree/lookup/found.h"
#include "overlay/tree/lookup/listings.h"
#include "overlay/tree/lookup/lower_stack.h"
#include "overlay/tree/lookup/upper_places.h"
#include "overlay/upper/upper_files.h"

namespace lamina::overlay {

class NameLookup {
 public:
  NameLookup(const Options& options, const MarkNames& marks, const LowerStack& lowers, UpperFiles& files,
             const EscapedWhiteouts& escaped, UpperPlaces& places, Listings& listings, const InodeTable& table)
      : whiteout_files_(options.whiteout_files),
        marks_(marks),
        lowers_(lowers),
        files_(files),
        escaped_(escaped),
        places_(places),
        listings_(listings),
        table_(table) {}

  Result<Found> find(Inode& parent, std::string_view name);
  // Whether the lowers by themselves show the name.
  Result<bool> visible_below(Inode& parent, std::string_view name);
  // The same, where `found` is what find() has just found under it.
  Result<bool> visible_below(Inode& parent, std::string_view name, const Found& found) {
    return found.in_lower() != nullptr ? Result<bool>(true) : visible_below(parent, name);
  }
  // Of a directory or regular file in the upper.
  Result<Marks> upper_marks(const sys::FileStatus& status, int directory, std::string_view name);

 private:
  Result<std::optional<std::string>> find_in_upper(Inode& parent, const RealFile& directory, std::string_view name,
                                                   Found& found);
  Result<bool> skip_lowers(Inode& parent, std::string_view name, std::vector<LowerPlace>& lowers);
  [[nodiscard]] std::optional<Protection> known_to_be_whole(const sys::FileStatus& upper) const;

  const bool whiteout_files_;
  const MarkNames& marks_;
  const LowerStack& lowers_;
  UpperFiles& files_;
  const EscapedWhiteouts& escaped_;
  UpperPlaces& places_;
  Listings& listings_;
  const InodeTable& table_;
};

}  // namespace lamina::overlay
