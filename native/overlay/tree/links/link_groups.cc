#include "overlay/tree/links/link_groups.h"

#include <algorithm>
#include <mutex>
#include <unordered_set>

namespace lamina::overlay {

Result<LinkName> LinkGroups::name_at(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  LinkName link;
  link.name = path.substr(slash == std::string::npos ? 0 : slash + 1);
  LAMINA_ASSIGN(link.directory,
                resolver_.at_path(slash == std::string::npos ? std::string_view() : path.substr(0, slash)));
  if (!link.directory) return link;
  table_.forget(link.directory->id, 1);
  if (!link.directory->is_directory()) link.directory.reset();
  return link;
}

// Whether a name shows the file `identity` of the lower at `layer_number`, and no other.
Result<bool> LinkGroups::shows(Inode& directory, std::string_view name, std::size_t layer_number,
                               std::uint64_t identity) {
  LAMINA_ASSIGN(const Found found, names_.find(directory, name));
  if (found.in_lower() == nullptr || found.lowers.front().layer != layer_number) return false;
  LAMINA_ASSIGN(const std::uint64_t other, lowers_.of(found.lowers.front()).identity(found.lowers.front().reference));
  return other == identity;
}

Result<std::vector<LinkName>> LinkGroups::names_of(const LowerPlace& source) {
  std::vector<LinkName> names;
  LAMINA_ASSIGN(const std::vector<std::string> paths, lowers_.of(source).link_group(source.reference));
  if (paths.size() < 2) return names;
  LAMINA_ASSIGN(const std::uint64_t identity, lowers_.of(source).identity(source.reference));
  const auto take = [&](std::string_view path) -> Result<bool> {
    LAMINA_ASSIGN(LinkName link, name_at(path));
    if (!link.directory) return false;
    LAMINA_ASSIGN(const bool shown, shows(*link.directory, link.name, source.layer, identity));
    if (shown) names.push_back(std::move(link));
    return shown;
  };
  std::vector<std::string> elsewhere;
  for (const std::string& path : paths) {
    LAMINA_ASSIGN(const bool shown, take(path));
    if (!shown) elsewhere.push_back(path);
  }
  if (elsewhere.empty()) return names;
  std::unordered_set<std::string> seen(paths.begin(), paths.end());
  for (const std::string& path : elsewhere) {
    LAMINA_ASSIGN(const std::vector<std::string> places, places_.of_path(source.layer, path));
    for (const std::string& place : places) {
      if (seen.insert(place).second) LAMINA_TRY(take(place));
    }
  }
  return names;
}

Result<std::uint32_t> LinkGroups::visible_links(Inode& inode, const LowerPlace& source, std::uint32_t links) {
  if (links < 2 || inode.is_directory() || !lowers_.of(source).indexed()) return links;
  const auto version = static_cast<std::uint32_t>(version_.load());
  {
    std::lock_guard lock(inode.mutex);
    if (inode.links_version == version) return inode.links;
  }
  LAMINA_ASSIGN(const std::vector<LinkName> names, names_of(source));
  std::lock_guard lock(inode.mutex);
  // It has at least its known name, even in a group of one.
  const auto count = std::max<std::uint32_t>(static_cast<std::uint32_t>(names.size()), inode.nameless ? 0 : 1);
  inode.links = count;
  inode.links_version = version;
  return count;
}

}  // namespace lamina::overlay
