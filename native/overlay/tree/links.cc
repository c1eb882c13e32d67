// Hard links of the lowers. A group may have names anywhere in the tree; once one is copied up, they all are.
#include <sys/stat.h>

#include <algorithm>

#include "overlay/tree/overlay.h"
#include "sys/names.h"

namespace lamina::overlay {

using sys::Errno;

Result<LinkName> Overlay::link_name(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  LinkName link;
  link.name = path.substr(slash == std::string::npos ? 0 : slash + 1);
  LAMINA_ASSIGN(link.directory, resolve_inode(slash == std::string::npos ? std::string_view() : path.substr(0, slash)));
  if (!link.directory) return link;
  table_.forget(link.directory->id, 1);
  if (!link.directory->is_directory()) link.directory.reset();
  return link;
}

// The merged directory had the name already, so its times stay. With `name` "" the file of the descriptor itself.
Status Overlay::link_unseen(int from, std::string_view name, const RealFile& directory, std::string_view alias) {
  LAMINA_ASSIGN(const sys::FileStatus before, sys::status_of(directory.descriptor()));
  LAMINA_TRY(upper_files_.link({from, name}, {directory.descriptor(), alias}));
  Status restored = sys::change_times(directory.descriptor(), "", sys::TimeChange::to(before.atime),
                                      sys::TimeChange::to(before.mtime));
  // The first error is the one to report.
  if (!restored) static_cast<void>(sys::unlink(directory.descriptor(), alias));
  return restored;
}

// Whether a name shows the file `identity` of the lower at `layer_number`, and no other.
Result<bool> Overlay::shows(Inode& directory, std::string_view name, std::size_t layer_number, std::uint64_t identity) {
  LAMINA_ASSIGN(const Found found, find(directory, name));
  if (found.in_lower() == nullptr || found.lowers.front().layer != layer_number) return false;
  LAMINA_ASSIGN(const std::uint64_t other, lowers_.of(found.lowers.front()).identity(found.lowers.front().reference));
  return other == identity;
}

// The visible names of the lower's hard-link group: each with its directory, which is in the upper already.
Result<std::vector<std::pair<InodeRef, std::string>>> Overlay::aliases_of(const InodeRef& inode,
                                                                          const LowerPlace& source,
                                                                          const Interrupted& interrupted) {
  std::vector<std::pair<InodeRef, std::string>> aliases;
  if (inode->is_directory()) return aliases;
  LAMINA_ASSIGN(std::vector<LinkName> names, group_names(source));
  for (LinkName& link : names) {
    LAMINA_TRY(copy_up(link.directory, CopyUp::attributes, interrupted));
    aliases.emplace_back(std::move(link.directory), std::move(link.name));
  }
  return aliases;
}

// How many names of the merged tree show a file of a lower. Without an index: its link count in the lower.
Result<std::uint32_t> Overlay::visible_links(Inode& inode, const LowerPlace& source, std::uint32_t links) {
  if (links < 2 || inode.is_directory() || !lowers_.of(source).indexed()) return links;
  const auto version = static_cast<std::uint32_t>(names_version_.load());
  {
    std::lock_guard lock(inode.mutex);
    if (inode.links_version == version) return inode.links;
  }
  LAMINA_ASSIGN(const std::vector<LinkName> names, group_names(source));
  std::lock_guard lock(inode.mutex);
  // It has at least its known name, even in a group of one.
  const auto count = std::max<std::uint32_t>(static_cast<std::uint32_t>(names.size()), inode.nameless ? 0 : 1);
  inode.links = count;
  inode.links_version = version;
  return count;
}

// A worker that died while it made a group's names leaves a complete copy under some of them: the others are linked to
// it. `ino` is the group's.
Status Overlay::finish_group(const InodeKey& key, std::uint64_t ino) {
  LowerRef reference;
  reference.entry = static_cast<std::uint32_t>(key.identity);
  const LowerPlace source(key.layer - 1, reference);
  LAMINA_ASSIGN(const LowerEntry entry, lowers_.of(source).get(reference));
  LAMINA_ASSIGN(std::vector<LinkName> others, group_names(source));
  LAMINA_ASSIGN(const std::vector<std::string> places, group_places_.of_group(source));
  LinkName copy;
  std::uint64_t copy_number = 0;
  for (const std::string& path : places) {
    LAMINA_ASSIGN(LinkName link, link_name(path));
    if (!link.directory) continue;
    LAMINA_ASSIGN(const Found found, find(*link.directory, link.name));
    const FoundInUpper* upper = found.in_upper();
    if (copy.directory || upper == nullptr || found.type() != (entry.attributes.mode & S_IFMT)) continue;
    LAMINA_ASSIGN(const RealFileRef place, upper_directory(*link.directory));
    LAMINA_ASSIGN(const std::uint64_t its, upper_ino({place, link.name}, upper->status));
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
  LAMINA_ASSIGN(const RealFileRef from, upper_directory(*copy.directory));
  for (const LinkName& each : others) {
    LAMINA_ASSIGN(const RealFileRef to, upper_directory(*each.directory));
    LAMINA_TRY(link_unseen(from->descriptor(), copy.name, *to, each.name));
    touched(*each.directory);
  }
  if (!changing) return {};
  const std::lock_guard lock(inode->mutex);
  changing->settle();
  return {};
}

// The name itself is in the upper afterwards. A group's copy may have other names only, where a redirect of a lower
// keeps the index from knowing this one: then it becomes one more.
Status Overlay::copy_up_name(const InodeRef& directory, std::string_view name, const InodeRef& inode, CopyUp what,
                             const Interrupted& interrupted) {
  LAMINA_TRY(copy_up(inode, what, interrupted));
  if (inode->is_directory()) return {};
  LAMINA_ASSIGN(const RealFileRef place, upper_directory(*directory));
  auto present = sys::status_at(place->descriptor(), name);
  if (present || !is_absent(present)) return present ? Status() : present.error();
  LAMINA_ASSIGN(const Location from, location(*inode));
  LAMINA_TRY(link_unseen(from.descriptor(), from.name, *place, name));
  touched(*directory);
  return {};
}

// Groups with names below a directory that is to be renamed: the index keeps their old paths, so they are copied up
// now.
Status Overlay::copy_up_links_below(const InodeRef& directory, const Interrupted& interrupted) {
  std::vector<LowerPlace> places;
  {
    std::lock_guard lock(directory->mutex);
    places = directory->lowers;
  }
  LAMINA_ASSIGN(const std::string above, path_of(*directory));
  for (const LowerPlace& place : places) {
    LAMINA_ASSIGN(const std::vector<std::string> paths, lowers_.of(place).links_below(place.reference));
    for (const std::string& path : paths) {
      LAMINA_ASSIGN(const LinkName link, link_name(above + "/" + path));
      if (!link.directory) continue;
      LAMINA_ASSIGN(const Found found, find(*link.directory, link.name));
      if (found.in_lower() == nullptr || found.type() == S_IFDIR || found.lowers.front().layer != place.layer) continue;
      LAMINA_ASSIGN(const InodeRef inode, intern(link.directory, link.name, found));
      table_.forget(inode->id, 1);
      LAMINA_TRY(copy_up(link.directory, CopyUp::attributes, interrupted));
      LAMINA_TRY(copy_up_name(link.directory, link.name, inode, CopyUp::attributes, interrupted));
    }
  }
  return {};
}

// A link needs no data (ovl_link() of fs/overlayfs/dir.c), but a file without a name has nothing that a redirect could
// lead from.
Status Overlay::copy_up_for_link(const InodeRef& inode, const Interrupted& interrupted) {
  const auto is_nameless = [&] {
    const std::lock_guard lock(inode->mutex);
    return inode->nameless;
  };
  LAMINA_TRY(copy_up(inode, is_nameless() ? CopyUp::data : CopyUp::attributes, interrupted));
  InodeRef directory;
  std::string name;
  {
    const std::lock_guard lock(inode->mutex);
    if (!inode->metacopy) return {};
    directory = inode->parent;
    name = inode->name();
  }
  return redirect_metacopy(inode, directory, name, interrupted);
}

}  // namespace lamina::overlay
