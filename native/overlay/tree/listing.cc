// Merged directories.
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "overlay/layers/whiteout_files.h"
#include "overlay/tree/overlay.h"
#include "sys/directory.h"
#include "sys/open.h"
#include "sys/xattrs.h"

namespace lamina::overlay {

const LowerChild* find_child(const LowerChildren& children, std::uint64_t cookie, std::string_view name) {
  auto child =
      std::lower_bound(children.begin(), children.end(), cookie,
                       [](const LowerChild& each, std::uint64_t wanted) { return each.entry.cookie < wanted; });
  for (; child != children.end() && child->entry.cookie == cookie; ++child) {
    if (child->entry.name == name) return &*child;
  }
  return nullptr;
}

// The upper's own names into `into`, and those that hide a lower's into `hidden`.
Status Overlay::list_upper(Inode& directory, const LowerChildren& below, Listing& into,
                           std::vector<std::string>& hidden) {
  LAMINA_ASSIGN(const RealFileRef place, upper_directory(directory));
  LAMINA_ASSIGN(const sys::FileDescriptor opened, upper_files_.open({place, {}}, O_RDONLY | O_DIRECTORY));
  std::vector<std::string> whiteouts;
  LAMINA_TRY(sys::read_directory(opened.get(), [&](const sys::DirectoryRecord& each) -> Status {
    if (options_.whiteout_files && is_whiteout_file(each.name)) {
      whiteouts.emplace_back(each.name.substr(whiteout_file_prefix.size()));
      return {};
    }
    DirectoryEntry entry{name_cookie(each.name), each.ino, each.type, std::string(each.name)};
    const LowerChild* lower = find_child(below, entry.cookie, each.name);
    if (lower != nullptr) hidden.push_back(entry.name);
    if (each.type == S_IFCHR || each.type == 0) {
      auto status = sys::status_at(place->descriptor(), each.name);
      if (is_absent(status)) return {};
      if (!status) return status.error();
      if (status->is_whiteout()) return {};
      entry.type = status->type();
    }
    if (entry.type == S_IFDIR && lower != nullptr && lower->entry.type == S_IFDIR && !lower->whiteout) {
      entry.ino = lower->entry.ino;
    } else {
      sys::FileStatus status;
      status.ino = each.ino;
      auto ino = upper_ino({place, entry.name}, status);
      if (is_absent(ino)) return {};
      if (!ino) return ino.error();
      entry.ino = *ino;
    }
    into.push_back(std::move(entry));
    return {};
  }));
  if (whiteouts.empty()) return {};
  std::sort(whiteouts.begin(), whiteouts.end());
  std::erase_if(into, [&](const DirectoryEntry& each) {
    return std::binary_search(whiteouts.begin(), whiteouts.end(), each.name);
  });
  hidden.insert(hidden.end(), whiteouts.begin(), whiteouts.end());
  return {};
}

Result<ListingRef> Overlay::list_inode(Inode& directory) {
  std::uint64_t version = 0;
  bool has_upper = false;
  {
    std::lock_guard lock(directory.mutex);
    if (ListingRef known = directory.directory().listing.lock()) return known;
    version = directory.directory().version;
    has_upper = directory.has_upper;
  }
  LAMINA_ASSIGN(const auto below, lower_children(directory));
  Listing names;
  std::vector<std::string> hidden;
  if (has_upper) LAMINA_TRY(list_upper(directory, *below, names, hidden));
  std::sort(hidden.begin(), hidden.end());
  for (const LowerChild& each : *below) {
    if (!each.whiteout && !std::binary_search(hidden.begin(), hidden.end(), each.entry.name))
      names.push_back(each.entry);
  }
  std::sort(names.begin(), names.end(), listing_order);
  for (std::size_t i = 1; i < names.size(); ++i) names[i].cookie = std::max(names[i].cookie, names[i - 1].cookie + 1);
  auto listing = std::make_shared<const Listing>(std::move(names));
  lists_.keep(listing, listing->size());
  std::lock_guard lock(directory.mutex);
  if (directory.directory().version == version) directory.directory().listing = listing;
  return ListingRef(listing);
}

Result<ListingRef> Overlay::list(NodeId directory) {
  TreeLock::Shared lock(tree_);
  LAMINA_ASSIGN(const InodeRef inode, get(directory));
  if (!inode->is_directory()) return sys::Errno{ENOTDIR};
  return list_inode(*inode);
}

}  // namespace lamina::overlay
