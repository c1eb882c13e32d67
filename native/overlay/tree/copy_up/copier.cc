#include "overlay/tree/copy_up/copier.h"

#include <sys/stat.h>

#include <mutex>

#include "overlay/tree/lookup/listings.h"
#include "sys/names.h"
#include "sys/status.h"

namespace lamina::overlay {

using sys::Errno;

// The visible names of the lower's hard-link group, their directories in the upper already.
Result<std::vector<LinkName>> Copier::aliases_of(const Inode& inode, const LowerPlace& source,
                                                 const Interrupted& interrupted) {
  if (inode.is_directory()) return std::vector<LinkName>();
  LAMINA_ASSIGN(std::vector<LinkName> names, groups_.names_of(source));
  for (const LinkName& name : names) LAMINA_TRY(copy_up(name.directory, CopyUp::attributes, interrupted));
  return names;
}

Status Copier::copy_up_parents(const InodeRef& inode, const Interrupted& interrupted) {
  InodeRef parent;
  {
    std::lock_guard lock(inode->mutex);
    if (inode->nameless) return {};
    parent = inode->parent;
  }
  return parent ? copy_up(parent, CopyUp::attributes, interrupted) : Status();
}

Status Copier::copy_up(const InodeRef& inode, CopyUp what, const Interrupted& interrupted) {
  {
    std::lock_guard lock(inode->mutex);
    // The inode was looked up before it was replaced: with ESTALE, the kernel resolves the path again.
    if (inode->replaced) return Errno{ESTALE};
    if (inode->has_upper && (!inode->metacopy || what == CopyUp::attributes)) return {};
  }
  if (!places_.upper()) return Errno{EROFS};
  LAMINA_TRY(copy_up_parents(inode, interrupted));
  std::vector<LinkName> aliases;
  LowerPlace source;
  bool done = false;
  {
    std::lock_guard lock(inode->mutex);
    done = inode->has_upper;
    if (!done) source = inode->lowers.front();
  }
  if (!done) {
    LAMINA_ASSIGN(aliases, aliases_of(*inode, source, interrupted));
  }
  std::lock_guard guard(inode->copy_up);
  bool metacopy = false;
  bool nameless = false;
  {
    std::lock_guard lock(inode->mutex);
    done = inode->has_upper;
    metacopy = inode->metacopy;
    // Any remaining name of its hard-link group serves as its own.
    if (inode->nameless && !aliases.empty() && !done) {
      table_.move(*inode, aliases.front().directory, aliases.front().name);
    }
    nameless = inode->nameless;
  }
  if (done) return metacopy && what != CopyUp::attributes ? metacopies_.complete(*inode, interrupted) : Status();
  LAMINA_ASSIGN(LowerEntry entry, lowers_.of(source).get(source.reference));
  count_.fetch_add(1, std::memory_order_relaxed);
  if (nameless && !inode->is_directory()) return copy_up_unnamed(inode, source, entry, interrupted);
  const bool attributes_only =
      what == CopyUp::attributes && makes_metacopies_ && inode->is_regular() && entry.attributes.size > 0;
  if (!attributes_only && what == CopyUp::attributes) what = CopyUp::data;
  return work_.build([&](std::string_view temporary) -> Status {
    LAMINA_ASSIGN(const std::uint64_t copy, builder_.build(*inode, source, entry, temporary, what, interrupted));
    return publisher_.publish(inode, temporary, copy, attributes_only, aliases);
  });
}

// A file whose last name is removed gets a copy without a name.
Status Copier::copy_up_unnamed(const InodeRef& inode, const LowerPlace& source, const LowerEntry& entry,
                               const Interrupted& interrupted) {
  return work_.build([&](std::string_view temporary) -> Status {
    LAMINA_TRY(builder_.build(*inode, source, entry, temporary, CopyUp::data, interrupted));
    return publisher_.publish_unnamed(inode, temporary);
  });
}

// A group's copy may have other names only, where a redirect of a lower keeps the index from knowing this one: then it
// becomes one more.
Status Copier::copy_up_name(const InodeRef& directory, std::string_view name, const InodeRef& inode, CopyUp what,
                            const Interrupted& interrupted) {
  LAMINA_TRY(copy_up(inode, what, interrupted));
  if (inode->is_directory()) return {};
  LAMINA_ASSIGN(const RealFileRef place, places_.directory(*directory));
  auto present = sys::status_at(place->descriptor(), name);
  if (present || !is_absent(present)) return present ? Status() : present.error();
  LAMINA_ASSIGN(const Location from, places_.location(*inode));
  LAMINA_TRY(upper_files_.link_unseen({from.descriptor(), from.name}, {place->descriptor(), name}));
  name_changed(*directory, name);
  return {};
}

}  // namespace lamina::overlay
