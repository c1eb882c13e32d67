// Copy-up: copies an object of a lower to the upper. It is built in the work directory and renamed once, so that the
// upper never shows half of it. Once one name of a hard-link group is copied up, they all are.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>
#include <vector>

#include "overlay/inodes/inode_table.h"
#include "overlay/tree/copy_up/copy_builder.h"
#include "overlay/tree/copy_up/copy_publisher.h"
#include "overlay/tree/copy_up/metacopy_data.h"
#include "overlay/tree/links/link_groups.h"
#include "overlay/tree/lookup/lower_stack.h"
#include "overlay/tree/lookup/upper_places.h"
#include "overlay/upper/upper_files.h"
#include "overlay/upper/work_directory.h"

namespace lamina::overlay {

class Copier {
 public:
  Copier(const Options& options, const LowerStack& lowers, UpperFiles& upper_files, WorkDirectory& work,
         UpperPlaces& places, InodeTable& table, LinkGroups& groups, CopyBuilder& builder, MetacopyData& metacopies,
         CopyPublisher& publisher)
      : makes_metacopies_(options.metacopy && !options.user_xattr),
        lowers_(lowers),
        upper_files_(upper_files),
        work_(work),
        places_(places),
        table_(table),
        groups_(groups),
        builder_(builder),
        metacopies_(metacopies),
        publisher_(publisher) {}

  // The inode, and the directories above it, are in the upper afterwards; `what` of it. EROFS where there is no upper,
  // ESTALE for an inode that was replaced. The tree lock is held.
  Status copy_up(const InodeRef& inode, CopyUp what, const Interrupted& interrupted);
  // The same, and that name of it is in the upper.
  Status copy_up_name(const InodeRef& directory, std::string_view name, const InodeRef& inode, CopyUp what,
                      const Interrupted& interrupted);
  [[nodiscard]] std::uint64_t count() const { return count_.load(); }

 private:
  Status copy_up_parents(const InodeRef& inode, const Interrupted& interrupted);
  Status copy_up_unnamed(const InodeRef& inode, const LowerPlace& source, const LowerEntry& entry,
                         const Interrupted& interrupted);
  Result<std::vector<LinkName>> aliases_of(const Inode& inode, const LowerPlace& source,
                                           const Interrupted& interrupted);

  const bool makes_metacopies_;
  const LowerStack& lowers_;
  UpperFiles& upper_files_;
  WorkDirectory& work_;
  UpperPlaces& places_;
  InodeTable& table_;
  LinkGroups& groups_;
  CopyBuilder& builder_;
  MetacopyData& metacopies_;
  CopyPublisher& publisher_;
  std::atomic<std::uint64_t> count_{0};
};

}  // namespace lamina::overlay
