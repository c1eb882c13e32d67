// Whose files are whose: the owners that a mount shows, and those that its layers have on disk.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace lamina::overlay {

// `length` ids from `disk` on are shown as those from `mount` on.
struct IdRange {
  std::uint32_t disk = 0, mount = 0, length = 0;
  friend bool operator==(const IdRange&, const IdRange&) = default;
};

// Users or groups, there and back. Where ranges overlap the last one counts. What none has becomes the overflow id, in
// both directions. Without ranges all ids stay as they are.
class IdMap {
 public:
  IdMap() = default;
  IdMap(std::vector<IdRange> ranges, std::uint32_t overflow) : ranges_(std::move(ranges)), overflow_(overflow) {}

  [[nodiscard]] bool empty() const { return ranges_.empty(); }
  [[nodiscard]] const std::vector<IdRange>& ranges() const { return ranges_; }
  [[nodiscard]] std::uint32_t to_mount(std::uint32_t disk) const {
    return find(disk, [](const IdRange& range) { return Way{range.disk, range.mount}; });
  }
  [[nodiscard]] std::uint32_t to_disk(std::uint32_t mount) const {
    return find(mount, [](const IdRange& range) { return Way{range.mount, range.disk}; });
  }

 private:
  struct Way {
    std::uint32_t from, to;
  };
  template <typename Direction>
  [[nodiscard]] std::uint32_t find(std::uint32_t id, Direction direction) const {
    if (empty()) return id;
    for (auto range = ranges_.rbegin(); range != ranges_.rend(); ++range) {
      const Way way = direction(*range);
      if (id >= way.from && id - way.from < range->length) return way.to + (id - way.from);
    }
    return overflow_;
  }

  std::vector<IdRange> ranges_;
  std::uint32_t overflow_ = 65534;
};

// The options uidmapping, gidmapping, squash_to_uid, squash_to_gid and squash_to_root of fuse-overlayfs.
struct OwnerView {
  IdMap uids, gids;
  // Shown as the owner of everything, whoever it is on disk. A change of owner then succeeds also where the file system
  // refuses it: it would not be seen.
  std::optional<std::uint32_t> every_uid, every_gid;

  [[nodiscard]] bool squashes() const { return every_uid || every_gid; }
  [[nodiscard]] bool any() const { return squashes() || !uids.empty() || !gids.empty(); }
};

// Where owner and mode of a layer's files and directories are kept: in the inode, or in an attribute beside it
// (xattr_permissions of fuse-overlayfs, force_mask of containers-storage), for file systems on which one user owns all.
enum class StoredOwners : std::uint8_t {
  in_inode,
  privileged,  // security.fuseoverlayfs.override_stat: xattr_permissions=1
  user,        // user.fuseoverlayfs.override_stat: xattr_permissions=2
  containers,  // user.containers.override_stat: written by containers-storage
};

}  // namespace lamina::overlay
