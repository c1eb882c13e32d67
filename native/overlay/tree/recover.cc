// After a worker's death: the next one knows what the store kept of every inode, and finds the rest by the inode's
// name, when the inode is first used.
#include <fcntl.h>

#include "overlay/tree/overlay.h"
#include "sys/open.h"

namespace lamina::overlay {

using sys::Errno;

std::vector<int> Overlay::kept_descriptors() const {
  std::vector<int> kept;
  table_.store().for_each([&](const NodeRecord& record) {
    if (record.pin.load() >= 0) kept.push_back(record.pin.load());
  });
  return kept;
}

// What the dead worker was building in work is useless: it is not part of the upper.
Status Overlay::recover() {
  std::vector<std::pair<InodeKey, std::uint64_t>> groups;  // with their numbers
  table_.store().for_each([&](const NodeRecord& record) {
    if (record.is(NodeRecord::linking)) groups.emplace_back(record.key(), record.ino);
  });
  const std::vector<InodeRef> changing = table_.restore(root_);
  for (const auto& [key, ino] : groups) LAMINA_TRY(finish_group(key, ino));
  for (const InodeRef& inode : changing) {
    // One that cannot be read now reports the error at its next use.
    if (resolve(inode) && !inode->has_upper && inode->record->key().layer == 0) table_.take_back_key(inode);
  }
  return upper_ ? work_.clear() : Status();
}

// The inode of a node, ready for use. The tree lock is held.
Result<InodeRef> Overlay::get(NodeId node) {
  LAMINA_ASSIGN(InodeRef inode, table_.get(node));
  LAMINA_TRY(resolve(inode));
  return inode;
}

Status Overlay::resolve(const InodeRef& inode) {
  if (inode->resolved.load(std::memory_order_acquire)) return {};
  const std::lock_guard lock(resolving_);
  return resolve_locked(inode);
}

// An inode that is resolved has parents that are.
Status Overlay::resolve_locked(const InodeRef& inode) {
  std::vector<InodeRef> path;
  for (InodeRef at = inode; at && !at->resolved.load(std::memory_order_relaxed);) {
    path.push_back(at);
    at = at->parent;
  }
  for (auto each = path.rbegin(); each != path.rend(); ++each) {
    Inode& one = **each;
    LAMINA_ASSIGN(const bool named, one.nameless || !one.parent ? Result<bool>(false) : resolve_named(one));
    if (!named) LAMINA_TRY(resolve_nameless(one));
    one.resolved.store(true, std::memory_order_release);
  }
  return {};
}

// Whether a name shows the inode in its present state: it may have been copied up just before the death.
Result<bool> Overlay::shows_inode(Inode& inode, const Found& found) {
  if (!found.visible() || found.type() != inode.type) return false;
  LAMINA_ASSIGN(const InodeKey key, key_of(found));
  bool known = inode.record->key() == key;
  inode.for_each_earlier_key([&](const InodeKey& each) { known = known || each == key; });
  return known;
}

Result<bool> Overlay::resolve_named(Inode& inode) {
  const std::string name(inode.name());
  LAMINA_ASSIGN(const Found found, find(*inode.parent, name));
  LAMINA_ASSIGN(const bool shown, shows_inode(inode, found));
  if (!shown) return false;
  std::lock_guard lock(inode.mutex);
  inode.has_upper = found.in_upper() != nullptr;
  inode.metacopy = found.has(FoundInUpper::Form::metacopy);
  inode.protection.store(found.protection());
  inode.lowers = found.lowers;
  return true;
}

// The place of a file of a lower without a name. ESTALE where it is unknown.
Result<LowerPlace> Overlay::forgotten_lower(Inode& inode) {
  const InodeKey key = inode.record->key();
  if (key.layer == 0 || key.position() > lowers_.size()) return Errno{ESTALE};
  const Layer& its = lowers_[key.position() - 1];
  if (its.indexed()) {
    LowerRef reference;
    reference.entry = static_cast<std::uint32_t>(key.identity);
    return LowerPlace(key.layer - 1, reference);
  }
  if (!inode.record->is(NodeRecord::lower_path)) {
    if (!inode.parent) return Errno{ESTALE};
    // Its name was removed just before the death: the lowers still have it.
    Found below;
    LAMINA_ASSIGN([[maybe_unused]] const bool has_data, lowers_.find(inode.parent->lowers, inode.name(), below, {}));
    LAMINA_ASSIGN(const bool shown, shows_inode(inode, below));
    return shown ? below.lowers.front() : Result<LowerPlace>(Errno{ESTALE});
  }
  LowerRef at = its.root();
  std::string_view path = inode.record->name();
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    LAMINA_ASSIGN(const LowerEntry entry, its.lookup(at, path.substr(0, slash)));
    at = entry.reference;
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
  }
  return LowerPlace(key.position() - 1, at);
}

Status Overlay::resolve_nameless(Inode& inode) {
  const int pin = inode.record->pin.load();
  LowerPlace lower;
  if (pin < 0) {
    LAMINA_ASSIGN(lower, forgotten_lower(inode));
  }
  std::lock_guard lock(inode.mutex);
  inode.unlink();
  inode.has_upper = pin >= 0;
  if (pin >= 0) {
    inode.pin(std::make_shared<const RealFile>(pin));
  } else {
    inode.lowers.push_back(lower);
  }
  if (inode.is_directory()) {
    inode.directory().listing = empty_listing();
  }
  return {};
}

}  // namespace lamina::overlay
