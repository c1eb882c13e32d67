// From what the layers hold under a name to its inode, its number, and the answer to a lookup.
#include <sys/stat.h>

#include "overlay/layers/attributes.h"
#include "overlay/tree/overlay.h"
#include "sys/xattrs.h"

namespace lamina::overlay {

using sys::Errno;

// The number that a mark gives an entry with the number `own` in the upper's file system; none where there is no valid
// mark. The number of another stack may belong to something else in this one.
Result<std::optional<std::uint64_t>> Overlay::marked_ino(const Location& location, std::uint64_t own) const {
  const auto value = sys::get_xattr(location.descriptor(), location.name, marks_.lamina_ino);
  if (value.failed_with(ENODATA) || value.failed_with(EOPNOTSUPP)) return std::optional<std::uint64_t>();
  if (!value) return value.error();
  const auto number = decode_lower_number(*value);
  if (!number || number->stack != lowers_.fingerprint()) return std::optional<std::uint64_t>();
  return std::optional(number->is_of_a_copy(own, copies_.upper_number()) ? own : number->ino);
}

Result<std::uint64_t> Overlay::upper_ino(const Location& location, const sys::FileStatus& status) {
  LAMINA_ASSIGN(const auto marked, marked_ino(location, status.ino));
  return marked.value_or(status.ino);
}

Result<InodeKey> Overlay::key_of(const Found& found) {
  if (found.in_upper() != nullptr) return InodeKey{0, found.in_upper()->status.ino};
  const LowerPlace& place = found.lowers.front();
  const Layer& its = lowers_.of(place);
  if (splits_on_copy_up(its, found.in_lower()->attributes)) {
    LAMINA_ASSIGN(const std::string path, its.path(place.reference));
    return InodeKey{(place.layer + 1) | InodeKey::by_path, sip_hash(secret_, path)};
  }
  LAMINA_ASSIGN(const std::uint64_t identity, its.identity(place.reference));
  return InodeKey{place.layer + 1, identity};
}

Result<InodeRef> Overlay::intern(const InodeRef& parent, std::string_view name, const Found& found) {
  LAMINA_ASSIGN(const InodeKey key, key_of(found));
  const FoundInUpper* upper = found.in_upper();
  std::uint64_t ino = upper != nullptr ? upper->status.ino : found.in_lower()->attributes.ino;
  InodeRef known;  // keeps it in the table
  if (upper != nullptr) {
    known = table_.find(key);
    if (known || upper->form == FoundInUpper::Form::fresh) {
      // The number is its own.
    } else if (found.type() == S_IFDIR && !found.lowers.empty()) {
      LAMINA_ASSIGN(const LowerEntry below, lowers_.of(found.lowers[0]).get(found.lowers[0].reference));
      ino = below.attributes.ino;
      // One that was copied in the upper leads to the same lower as the one that it was copied from.
      if (upper->form == FoundInUpper::Form::redirected) {
        LAMINA_ASSIGN(const RealFileRef directory, upper_directory(*parent));
        LAMINA_ASSIGN(const auto marked, marked_ino({directory, std::string(name)}, upper->status.ino));
        ino = marked.value_or(ino);
      }
    } else {
      LAMINA_ASSIGN(const RealFileRef directory, upper_directory(*parent));
      LAMINA_ASSIGN(ino, upper_ino({directory, std::string(name)}, upper->status));
    }
  }
  InodeRef inode = table_.intern(key, name, [&] {
    auto made = std::make_shared<Inode>();
    made->type = found.type();
    made->ino = ino;
    made->has_upper = upper != nullptr;
    made->metacopy = found.has(FoundInUpper::Form::metacopy);
    made->protection.store(found.protection(), std::memory_order_relaxed);
    made->lowers = found.lowers;
    made->parent = parent;
    return made;
  });
  if (const Status resolved = resolve(inode); !resolved) {
    table_.forget(inode->id, 1);
    return resolved.error();
  }
  std::lock_guard lock(inode->mutex);
  // A lower's name of a file that was copied up under another one is not a place where the copy can be found.
  const bool same_side = upper != nullptr || !inode->has_upper;
  if (!inode->is_directory() && same_side && (inode->nameless || inode->parent != parent || inode->name() != name)) {
    table_.move(*inode, parent, name);
  }
  return inode;
}

Result<Entry> Overlay::entry_of(const InodeRef& inode) {
  auto attributes = this->attributes(inode->id);
  if (!attributes) {
    table_.forget(inode->id, 1);
    return attributes.error();
  }
  return Entry{inode->id, 1, *attributes};
}

// As above, from what the lookup has found already, where that suffices.
Result<Entry> Overlay::entry_of(const InodeRef& inode, const Found& found) {
  const FoundInUpper* upper = found.in_upper();
  bool same_side = false;
  {
    std::lock_guard lock(inode->mutex);
    same_side = inode->has_upper == (upper != nullptr) && !inode->metacopy;
  }
  Attributes attributes = upper != nullptr ? to_attributes(upper->status) : found.in_lower()->attributes;
  const bool counts_links =
      upper == nullptr && !inode->is_directory() && attributes.nlink > 1 && lowers_.of(found.lowers[0]).indexed();
  if (!same_side || counts_links || upper_files_.unprivileged()) return entry_of(inode);
  attributes.ino = inode->ino;
  const std::size_t places = found.lowers.size() + (upper != nullptr ? 1U : 0U);
  if (inode->is_directory() && (places > 1 || options_.static_nlink)) attributes.nlink = 1;  // as in attributes()
  return Entry{inode->id, 1, attributes};
}

}  // namespace lamina::overlay
