#include "overlay/tree/lookup/resolver.h"

#include <sys/stat.h>

#include <memory>
#include <mutex>

namespace lamina::overlay {

Result<InodeRef> Resolver::get(NodeId node) {
  LAMINA_ASSIGN(InodeRef inode, table_.get(node));
  LAMINA_TRY(restored_.resolve(inode));
  return inode;
}

// The st_ino of what a lookup has found.
Result<std::uint64_t> Resolver::number_of(const InodeRef& parent, std::string_view name, const Found& found) {
  const FoundInUpper* upper = found.in_upper();
  if (upper == nullptr) return found.in_lower()->attributes.ino;
  if (found.type() != S_IFDIR || found.lowers.empty()) {
    if (upper->unmarked) return upper->status.ino;
    LAMINA_ASSIGN(const RealFileRef directory, places_.directory(*parent));
    return numbers_.of({directory, std::string(name)}, upper->status.ino);
  }
  LAMINA_ASSIGN(const Attributes below, lowers_.of(found.lowers[0]).attributes(found.lowers[0].reference));
  if (upper->form != FoundInUpper::Form::redirected) return below.ino;
  // One that was copied in the upper leads to the same lower as the one that it was copied from.
  LAMINA_ASSIGN(const RealFileRef directory, places_.directory(*parent));
  LAMINA_ASSIGN(const auto marked, numbers_.marked({directory, std::string(name)}, upper->status.ino));
  return marked.value_or(below.ino);
}

Result<InodeRef> Resolver::intern(const InodeRef& parent, std::string_view name, const Found& found) {
  LAMINA_ASSIGN(const InodeKey key, keys_.of(found));
  const FoundInUpper* upper = found.in_upper();
  InodeRef known;  // keeps it in the table
  if (upper != nullptr) known = table_.find(key);
  std::uint64_t ino = 0;
  if (known || found.has(FoundInUpper::Form::fresh)) {
    ino = upper->status.ino;  // what is known keeps its number, what was made now has its own
  } else {
    LAMINA_ASSIGN(ino, number_of(parent, name, found));
  }
  InodeRef inode = table_.intern(key, name, [&] {
    auto made = std::make_shared<Inode>();
    made->type = found.type();
    made->ino = ino;
    made->has_upper = upper != nullptr;
    made->metacopy = found.has(FoundInUpper::Form::metacopy);
    made->fresh.store(found.has(FoundInUpper::Form::fresh), std::memory_order_relaxed);
    made->protection.store(found.protection(), std::memory_order_relaxed);
    made->lowers = found.lowers;
    made->parent = parent;
    return made;
  });
  if (const Status resolved = restored_.resolve(inode); !resolved) {
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

Result<InodeRef> Resolver::at_path(std::string_view path) {
  LAMINA_ASSIGN(InodeRef at, table_.get(root_node));
  table_.raise(at);
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    const std::string_view name = path.substr(0, slash);
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
    auto found = at->is_directory() ? names_.find(*at, name) : Result<Found>(Found());
    auto next = found && found->visible() ? intern(at, name, *found) : Result<InodeRef>(InodeRef());
    table_.forget(at->id, 1);
    if (!found) return found.error();
    if (!next || !*next) return next;
    at = *next;
  }
  return at;
}

}  // namespace lamina::overlay
