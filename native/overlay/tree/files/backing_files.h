// For clients that access the real files directly (FUSE passthrough): where the data is, and a new node for a file
// whose data moves.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "overlay/inodes/file_cache.h"
#include "overlay/inodes/inode_table.h"
#include "overlay/inodes/tree_lock.h"
#include "overlay/tree/lookup/lower_stack.h"
#include "overlay/tree/lookup/upper_places.h"
#include "overlay/upper/work_directory.h"

namespace lamina::overlay {

class BackingFiles {
 public:
  BackingFiles(const Options& options, TreeLock& tree, const LowerStack& lowers, WorkDirectory& work,
               UpperPlaces& places, InodeTable& table, FileCache& open_files)
      : options_(options),
        tree_(tree),
        lowers_(lowers),
        work_(work),
        places_(places),
        table_(table),
        open_files_(open_files) {}

  // As FileSystem's.
  Result<bool> data_in_lower(NodeId node);
  Status expect_unseen_writes(NodeId node, bool mapped);
  Status replace_node(NodeId node);
  [[nodiscard]] std::optional<NodeId> replacement(NodeId node) const;
  Result<std::vector<std::pair<RealFileRef, std::string>>> samples();

 private:
  const Options& options_;
  TreeLock& tree_;
  const LowerStack& lowers_;
  WorkDirectory& work_;
  UpperPlaces& places_;
  InodeTable& table_;
  FileCache& open_files_;
};

}  // namespace lamina::overlay
