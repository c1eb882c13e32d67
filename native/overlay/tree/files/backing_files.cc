#include "overlay/tree/files/backing_files.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <memory>
#include <mutex>

#include "sys/names.h"
#include "sys/open.h"

namespace lamina::overlay {

using sys::Errno;

Result<bool> BackingFiles::data_in_lower(NodeId node) {
  LAMINA_ASSIGN(const InodeRef inode, table_.get(node));
  if (inode->is_directory()) return Errno{EISDIR};
  if (!inode->is_regular()) return Errno{EINVAL};
  std::lock_guard lock(inode->mutex);
  return !inode->has_upper || inode->metacopy;
}

Status BackingFiles::expect_unseen_writes(NodeId node, bool mapped) {
  LAMINA_ASSIGN(const InodeRef inode, table_.get(node));
  std::lock_guard lock(inode->mutex);
  inode->written_unseen = true;
  inode->mapped_unseen = inode->mapped_unseen || mapped;
  return {};
}

// The exclusive lock: no copy-up of the old inode is under way, and a later one gets ESTALE.
Status BackingFiles::replace_node(NodeId node) {
  TreeLock::Exclusive lock(tree_);
  LAMINA_ASSIGN(const InodeRef old, table_.get(node));
  if (old->id != node) return {};  // replaced by another thread
  auto other = std::make_shared<Inode>();
  {
    std::lock_guard guard(old->mutex);
    if (old->nameless) return Errno{ESTALE};
    other->type = old->type;
    other->ino = old->ino.load();
    other->links = old->links;
    other->links_version = old->links_version;
    other->has_upper = old->has_upper;
    other->metacopy = old->metacopy;
    other->protection.store(old->protection.load());
    other->written_unseen = old->written_unseen;
    other->mapped_unseen = old->mapped_unseen;
    other->parent = old->parent;
    other->lowers = std::vector<LowerPlace>(old->lowers);
    table_.replace(old, other);
  }
  open_files_.erase(node);
  return {};
}

std::optional<NodeId> BackingFiles::replacement(NodeId node) const {
  const auto inode = table_.get(node);
  if (!inode || (*inode)->id == node) return std::nullopt;
  return (*inode)->id;
}

namespace {
Result<std::optional<LowerRef>> first_regular(const Layer& layer, const LowerRef& directory) {
  LAMINA_ASSIGN(const std::vector<Layer::Child> children, layer.list(directory));
  for (const mode_t type : {mode_t{S_IFREG}, mode_t{S_IFDIR}}) {
    for (const Layer::Child& child : children) {
      if (child.whiteout || child.entry.type != type) continue;
      LAMINA_ASSIGN(const LowerEntry entry, layer.lookup(directory, child.entry.name));
      if (type == S_IFREG) return std::optional(entry.reference);
      LAMINA_ASSIGN(auto below, first_regular(layer, entry.reference));
      if (below) return std::optional(std::move(*below));
    }
  }
  return std::optional<LowerRef>();
}
}  // namespace

Result<std::vector<std::pair<RealFileRef, std::string>>> BackingFiles::samples() {
  std::vector<std::pair<RealFileRef, std::string>> files;
  std::vector<std::uint64_t> devices;
  const auto is_new = [&](std::uint64_t device) {
    for (const std::uint64_t known : devices) {
      if (known == device) return false;
    }
    devices.push_back(device);
    return true;
  };
  if (places_.upper()) {
    LAMINA_ASSIGN(sys::FileDescriptor made, sys::open_unnamed(work_.descriptor(), 0600));
    LAMINA_ASSIGN(const sys::FileStatus status, sys::status_of(made.get()));
    devices.push_back(status.device);
    files.emplace_back(std::make_shared<const RealFile>(made.release()), options_.upper);
  }
  for (std::size_t i = 0; i < lowers_.size(); ++i) {
    const Layer& lower = lowers_[i];
    LAMINA_ASSIGN(const sys::FileDescriptor root, lower.open(lower.root(), O_PATH | O_DIRECTORY));
    LAMINA_ASSIGN(const sys::FileStatus status, sys::status_of(root.get()));
    if (!is_new(status.device)) continue;
    LAMINA_ASSIGN(const auto found, first_regular(lower, lower.root()));
    if (!found) continue;
    LAMINA_ASSIGN(sys::FileDescriptor opened, lower.open(*found, O_RDONLY));
    files.emplace_back(std::make_shared<const RealFile>(opened.release()), options_.lowers[i].tree);
  }
  return files;
}

}  // namespace lamina::overlay
