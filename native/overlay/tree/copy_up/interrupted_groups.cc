#include "overlay/tree/copy_up/interrupted_groups.h"

#include <sys/stat.h>

#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "overlay/tree/lookup/listings.h"

namespace lamina::overlay {

Status InterruptedGroups::finish(const InodeKey& key, std::uint64_t ino) {
  LowerRef reference;
  reference.entry = static_cast<std::uint32_t>(key.identity);
  const LowerPlace source(key.layer - 1, reference);
  LAMINA_ASSIGN(const LowerEntry entry, lowers_.of(source).get(reference));
  LAMINA_ASSIGN(std::vector<LinkName> others, groups_.names_of(source));
  LAMINA_ASSIGN(const std::vector<std::string> places, group_places_.of_group(source));
  LinkName copy;
  std::uint64_t copy_number = 0;
  for (const std::string& path : places) {
    LAMINA_ASSIGN(LinkName link, groups_.name_at(path));
    if (!link.directory) continue;
    LAMINA_ASSIGN(const Found found, names_.find(*link.directory, link.name));
    const FoundInUpper* upper = found.in_upper();
    if (copy.directory || upper == nullptr || found.type() != (entry.attributes.mode & S_IFMT)) continue;
    LAMINA_ASSIGN(const RealFileRef place, places_.directory(*link.directory));
    LAMINA_ASSIGN(const std::uint64_t its, numbers_.of({place, link.name}, upper->status.ino));
    if (its != ino) continue;
    copy = std::move(link);
    copy_number = upper->status.ino;
  }
  if (!copy.directory) return {};
  const InodeRef inode = table_.find(key);
  std::optional<InodeTable::NewKey> changing;
  if (inode && inode->record->key().layer != 0) {
    changing.emplace(table_, inode, InodeKey{0, copy_number}, ino, copy.directory, copy.name);
  }
  LAMINA_ASSIGN(const RealFileRef from, places_.directory(*copy.directory));
  for (const LinkName& each : others) {
    LAMINA_ASSIGN(const RealFileRef to, places_.directory(*each.directory));
    LAMINA_TRY(upper_files_.link_unseen({from->descriptor(), copy.name}, {to->descriptor(), each.name}));
    name_changed(*each.directory, each.name);
  }
  if (!changing) return {};
  const std::lock_guard lock(inode->mutex);
  changing->settle();
  return {};
}

}  // namespace lamina::overlay
