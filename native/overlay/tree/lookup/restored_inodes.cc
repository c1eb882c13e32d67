#include "overlay/tree/lookup/restored_inodes.h"

#include <memory>
#include <string>
#include <vector>

namespace lamina::overlay {

using sys::Errno;

// An inode that is resolved has parents that are.
Status RestoredInodes::resolve_now(const InodeRef& inode) {
  const std::lock_guard lock(resolving_);
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
Result<bool> RestoredInodes::shows_inode(Inode& inode, const Found& found) {
  if (!found.visible() || found.type() != inode.type) return false;
  LAMINA_ASSIGN(const InodeKey key, keys_.of(found));
  bool known = inode.record->key() == key;
  inode.for_each_earlier_key([&](const InodeKey& each) { known = known || each == key; });
  return known;
}

Result<bool> RestoredInodes::resolve_named(Inode& inode) {
  const std::string name(inode.name());
  LAMINA_ASSIGN(const Found found, names_.find(*inode.parent, name));
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
Result<LowerPlace> RestoredInodes::forgotten_lower(Inode& inode) {
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

Status RestoredInodes::resolve_nameless(Inode& inode) {
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
    inode.directory().listing.removed();
  }
  return {};
}

}  // namespace lamina::overlay
