// The names of merged directories: of the lowers alone, and as users see them. Those that were made last are kept.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "overlay/inodes/inode.h"
#include "overlay/inodes/inode_table.h"
#include "overlay/inodes/recent_lists.h"
#include "overlay/tree/lookup/inode_numbers.h"
#include "overlay/tree/lookup/lower_stack.h"
#include "overlay/tree/lookup/upper_places.h"
#include "overlay/upper/escaped_whiteouts.h"
#include "overlay/upper/upper_files.h"
#include "sys/directory.h"

namespace lamina::overlay {

// The child of that name among those of that cookie; null where there is none.
[[nodiscard]] const LowerChild* find_child(const LowerChildren& children, std::uint64_t cookie, std::string_view name);

// Called after a change to what a directory shows under a name.
void name_changed(Inode& directory, std::string_view name);

// Whether the upper of a directory, at `descriptor`, holds a whiteout file that hides a name there.
Result<bool> upper_hides(Inode& directory, int descriptor, std::string_view name);
// The upper of a directory was made just now, or was found to hold no whiteout files.
void note_no_whiteout_files(Inode& directory);

class Listings {
 public:
  Listings(const Options& options, const LowerStack& lowers, const InodeNumbers& numbers, UpperFiles& files,
           const EscapedWhiteouts& escaped, UpperPlaces& places, const InodeTable& table)
      : whiteout_files_(options.whiteout_files),
        listed_numbers_(options.listed_numbers),
        lowers_(lowers),
        numbers_(numbers),
        files_(files),
        escaped_(escaped),
        places_(places),
        table_(table) {}

  Result<std::shared_ptr<const LowerChildren>> lower_children(Inode& directory);
  // The same if they are in memory, else null.
  static std::shared_ptr<const LowerChildren> known_lower_children(Inode& directory);
  Result<ListingRef> of(Inode& directory);
  // Whether a listing in memory shows that a name is visible, and only lowers have it. False where none is known.
  static bool only_lowers_show(Inode& directory, std::string_view name);
  [[nodiscard]] std::uint64_t kept() const { return lists_.size(); }

 private:
  // Names in lists that are kept: about 130 bytes each, once as the lowers show them and once merged.
  static constexpr std::size_t most_listed_names = 1U << 16U;

  using ShownEntry = std::optional<DirectoryEntry>;  // none where nothing is shown under a name

  Result<std::uint64_t> upper_number(const RealFileRef& directory, const std::string& name, std::uint64_t own) const;
  Result<ShownEntry> show_upper(const RealFileRef& place, const sys::DirectoryRecord& record, const LowerChild* lower);
  Result<ShownEntry> show(Inode& directory, const RealFileRef& place, const LowerChildren& below,
                          std::string_view name);
  Status list_upper(Inode& directory, const RealFileRef& place, const LowerChildren& below,
                    std::vector<DirectoryEntry>& into, std::vector<std::string>& hidden);
  Result<Listing> read(Inode& directory, const RealFileRef& place, const LowerChildren& below);
  Result<Listing> update(Inode& directory, const KnownListing::Start& start, const RealFileRef& place,
                         const LowerChildren& below);
  Result<ListingRef> make(Inode& directory, const KnownListing::Start& start);

  const bool whiteout_files_;
  const bool listed_numbers_;
  const LowerStack& lowers_;
  const InodeNumbers& numbers_;
  UpperFiles& files_;
  const EscapedWhiteouts& escaped_;
  UpperPlaces& places_;
  const InodeTable& table_;
  RecentLists lists_{most_listed_names};
};

}  // namespace lamina::overlay
