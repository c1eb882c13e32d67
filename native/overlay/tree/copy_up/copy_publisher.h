// Gives a copy that was built in the work directory its place: one rename shows it in the upper, and the inode is there
// from then on.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "overlay/inodes/file_cache.h"
#include "overlay/inodes/inode_table.h"
#include "overlay/tree/links/link_groups.h"
#include "overlay/tree/links/linked_names.h"
#include "overlay/tree/lookup/upper_places.h"
#include "overlay/upper/upper_files.h"
#include "overlay/upper/work_directory.h"

namespace lamina::overlay {

class CopyPublisher {
 public:
  CopyPublisher(UpperFiles& upper_files, WorkDirectory& work, UpperPlaces& places, InodeTable& table,
                FileCache& open_files, LinkedNames& linked_names)
      : upper_files_(upper_files),
        work_(work),
        places_(places),
        table_(table),
        open_files_(open_files),
        linked_names_(linked_names) {}

  // The copy `temporary` in the work directory, whose number in the upper's file system is `copy`, becomes the inode's
  // file; `aliases` are all names of its hard-link group. Inode::copy_up is held.
  Status publish(const InodeRef& inode, std::string_view temporary, std::uint64_t copy, bool metacopy,
                 const std::vector<LinkName>& aliases);
  // The same for an inode without a name: the copy gets none, and lives as long as the inode.
  Status publish_unnamed(const InodeRef& inode, std::string_view temporary);
  // FileSystem::take_renumbered
  static std::vector<NodeId> take_renumbered();

 private:
  Status link_aliases(std::string_view temporary, const std::vector<LinkName>& aliases);
  void note_name(std::uint64_t copy, const InodeRef& directory, const std::string& name);

  UpperFiles& upper_files_;
  WorkDirectory& work_;
  UpperPlaces& places_;
  InodeTable& table_;
  FileCache& open_files_;
  LinkedNames& linked_names_;
};

}  // namespace lamina::overlay
