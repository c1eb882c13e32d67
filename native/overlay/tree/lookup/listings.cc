#include "overlay/tree/lookup/listings.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <mutex>

#include "overlay/layers/whiteout_files.h"
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

void names_changed(Inode& directory) {
  std::lock_guard lock(directory.mutex);
  ++directory.directory().version;
  directory.directory().listing.reset();
}

std::shared_ptr<const LowerChildren> Listings::known_lower_children(Inode& directory) {
  std::lock_guard lock(directory.mutex);
  return directory.directory().lower_children.lock();
}

Result<std::shared_ptr<const LowerChildren>> Listings::lower_children(Inode& directory) {
  std::vector<LowerPlace> places;
  {
    std::lock_guard lock(directory.mutex);
    if (auto known = directory.directory().lower_children.lock()) return known;
    places = directory.lowers;
  }
  auto children = std::make_shared<LowerChildren>();
  for (std::size_t i = 0; i < places.size(); ++i) {
    LAMINA_ASSIGN(std::vector<Layer::Child> names, lowers_.of(places[i]).list(places[i].reference));
    for (Layer::Child& each : names) children->push_back({std::move(each.entry), each.whiteout, i});
  }
  const auto before = [](const LowerChild& a, const LowerChild& b) {
    if (a.entry.cookie != b.entry.cookie) return a.entry.cookie < b.entry.cookie;
    const int order = a.entry.name.compare(b.entry.name);
    return order != 0 ? order < 0 : a.place < b.place;
  };
  std::sort(children->begin(), children->end(), before);
  const auto same = [](const LowerChild& a, const LowerChild& b) { return a.entry.name == b.entry.name; };
  children->erase(std::unique(children->begin(), children->end(), same), children->end());
  lists_.keep(children, children->size());
  std::lock_guard lock(directory.mutex);
  directory.directory().lower_children = children;
  return std::shared_ptr<const LowerChildren>(std::move(children));
}

// An inode that is known has the number that its mark would give.
Result<std::uint64_t> Listings::upper_number(const RealFileRef& directory, const std::string& name,
                                             std::uint64_t own) const {
  if (const InodeRef known = table_.find({0, own})) return known->ino.load();
  return numbers_.of({directory, name}, own);
}

// The upper's own names into `into`, and those that hide a lower's into `hidden`.
Status Listings::list_upper(Inode& directory, const LowerChildren& below, Listing& into,
                            std::vector<std::string>& hidden) {
  LAMINA_ASSIGN(const RealFileRef place, places_.directory(directory));
  LAMINA_ASSIGN(const sys::FileDescriptor opened, files_.open({place, {}}, O_RDONLY | O_DIRECTORY));
  std::vector<std::string> whiteouts;
  LAMINA_TRY(sys::read_directory(opened.get(), [&](const sys::DirectoryRecord& each) -> Status {
    if (whiteout_files_ && is_whiteout_file(each.name)) {
      whiteouts.emplace_back(each.name.substr(whiteout_file_prefix.size()));
      return {};
    }
    DirectoryEntry entry{name_cookie(each.name), each.ino, each.type, std::string(each.name)};
    const LowerChild* lower = find_child(below, entry.cookie, each.name);
    if (lower != nullptr) hidden.push_back(entry.name);
    if (each.type == S_IFCHR || each.type == 0 || (each.type == S_IFREG && escaped_.any())) {
      auto status = sys::status_at(place->descriptor(), each.name);
      if (is_absent(status)) return {};
      if (!status) return status.error();
      if (status->is_whiteout()) return {};
      LAMINA_ASSIGN(const bool device, escaped_.is_one({place->descriptor(), each.name}, *status));
      entry.type = device ? S_IFCHR : status->type();
    }
    if (entry.type == S_IFDIR && lower != nullptr && lower->entry.type == S_IFDIR && !lower->whiteout) {
      entry.ino = lower->entry.ino;
    } else {
      auto ino = upper_number(place, entry.name, each.ino);
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

Result<ListingRef> Listings::of(Inode& directory) {
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

}  // namespace lamina::overlay
