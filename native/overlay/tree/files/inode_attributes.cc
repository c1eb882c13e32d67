#include "overlay/tree/files/inode_attributes.h"

#include <sys/stat.h>

#include <mutex>

#include "overlay/layers/attributes.h"
#include "sys/status.h"

namespace lamina::overlay {

namespace {
constexpr std::uint32_t set_id = 06000U;  // setuid and setgid: an unseen write may clear them

Unseen unseen_by(bool written, bool mapped, std::uint32_t mode) {
  if (written && (mode & set_id) != 0) return Unseen::anything;
  return mapped ? Unseen::times : Unseen::nothing;
}
}  // namespace

Result<Attributes> InodeAttributes::of(NodeId node) {
  TreeLock::Shared lock(tree_);
  LAMINA_ASSIGN(const InodeRef inode, resolver_.get(node));
  bool has_upper = false;
  bool metacopy = false;
  bool merged = false;
  bool nameless = false;
  bool written = false;
  bool mapped = false;
  LowerPlace lower;
  {
    std::lock_guard guard(inode->mutex);
    written = inode->written_unseen;
    mapped = inode->mapped_unseen;
    has_upper = inode->has_upper;
    metacopy = inode->metacopy;
    nameless = inode->nameless;
    merged = inode->is_directory() && inode->lowers.size() + (has_upper ? 1U : 0U) > 1;
    if (!inode->lowers.empty()) lower = has_upper ? inode->lowers.back() : inode->lowers.front();
  }
  Attributes attributes;
  if (has_upper) {
    LAMINA_ASSIGN(const Location at, places_.location(*inode));
    const auto modes = upper_files_.steady_modes();
    LAMINA_ASSIGN(attributes, upper_files_.owners().attributes({at.descriptor(), at.name}));
    if (inode->type == S_IFCHR && S_ISREG(attributes.mode)) show_as_device(attributes);  // EscapedWhiteouts
    if (metacopy) {
      LAMINA_ASSIGN(const Attributes data, lowers_.of(lower).attributes(lower.reference));
      attributes.blocks = data.blocks;
    }
  } else {
    LAMINA_ASSIGN(attributes, lowers_.of(lower).attributes(lower.reference));
    const std::uint32_t links = attributes.nlink;
    LAMINA_ASSIGN(attributes.nlink, groups_.visible_links(*inode, lower, links));
    if (nameless && (links < 2 || !lowers_.of(lower).indexed())) attributes.nlink = 0;
  }
  attributes.ino = inode->ino;
  attributes.unseen = inode->id != node ? Unseen::anything : unseen_by(written, mapped, attributes.mode);
  // As in the kernel: the subdirectories of a merged directory are not counted.
  if (merged || (static_nlink_ && inode->is_directory())) attributes.nlink = 1;
  if (nameless && inode->is_directory()) attributes.nlink = 0;
  return attributes;
}

Result<Entry> InodeAttributes::entry(const InodeRef& inode) {
  auto attributes = of(inode->id);
  if (!attributes) {
    table_.forget(inode->id, 1);
    return attributes.error();
  }
  return Entry{inode->id, *attributes};
}

Result<Entry> InodeAttributes::entry(const InodeRef& inode, const Found& found) {
  const FoundInUpper* upper = found.in_upper();
  bool same_side = false;
  bool written = false;
  bool mapped = false;
  {
    std::lock_guard lock(inode->mutex);
    written = inode->written_unseen;
    mapped = inode->mapped_unseen;
    same_side = inode->has_upper == (upper != nullptr) && !inode->metacopy;
  }
  Attributes attributes = upper != nullptr ? to_attributes(upper->status) : found.in_lower()->attributes;
  const bool counts_links =
      upper == nullptr && !inode->is_directory() && attributes.nlink > 1 && lowers_.of(found.lowers[0]).indexed();
  if (!same_side || counts_links || upper_files_.unprivileged() || !upper_files_.owners().in_inodes()) {
    return entry(inode);
  }
  attributes.ino = inode->ino;
  attributes.unseen = unseen_by(written, mapped, attributes.mode);
  const std::size_t places = found.lowers.size() + (upper != nullptr ? 1U : 0U);
  if (inode->is_directory() && (places > 1 || static_nlink_)) attributes.nlink = 1;  // as in of()
  return Entry{inode->id, attributes};
}

}  // namespace lamina::overlay
