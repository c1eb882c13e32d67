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

void name_changed(Inode& directory, std::string_view name) {
  std::lock_guard lock(directory.mutex);
  directory.directory().listing.name_changed(name);
}

Result<bool> upper_hides(Inode& directory, int descriptor, std::string_view name) {
  {
    std::lock_guard lock(directory.mutex);
    if (directory.directory().no_whiteout_files) return false;
  }
  return has_whiteout_file(descriptor, name);
}

void note_no_whiteout_files(Inode& directory) {
  std::lock_guard lock(directory.mutex);
  directory.directory().no_whiteout_files = true;
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
  lists_.keep(directory.id, children, children->size());
  std::lock_guard lock(directory.mutex);
  directory.directory().lower_children = children;
  return std::shared_ptr<const LowerChildren>(std::move(children));
}

// An inode that is known has the number that its mark would give.
Result<std::uint64_t> Listings::upper_number(const RealFileRef& directory, const std::string& name,
                                             std::uint64_t own) const {
  if (const InodeRef known = table_.find({0, own})) return known->ino.load();
  return listed_numbers_ ? numbers_.of({directory, name}, own) : own;
}

// What a record of the upper shows; `lower` is what the lowers show under its name, or null.
Result<Listings::ShownEntry> Listings::show_upper(const RealFileRef& place, const sys::DirectoryRecord& record,
                                                  const LowerChild* lower) {
  DirectoryEntry entry{name_cookie(record.name), record.ino, record.type, true, std::string(record.name)};
  if (record.type == S_IFCHR || record.type == 0 || (record.type == S_IFREG && escaped_.any())) {
    auto status = sys::status_at(place->descriptor(), record.name);
    if (is_absent(status)) return ShownEntry();
    if (!status) return status.error();
    if (status->is_whiteout()) return ShownEntry();
    LAMINA_ASSIGN(const bool device, escaped_.is_one({place->descriptor(), record.name}, *status));
    entry.type = device ? S_IFCHR : status->type();
  }
  if (entry.type == S_IFDIR && lower != nullptr && lower->entry.type == S_IFDIR && !lower->whiteout) {
    entry.ino = lower->entry.ino;
    return ShownEntry(std::move(entry));
  }
  auto ino = upper_number(place, entry.name, record.ino);
  if (is_absent(ino)) return ShownEntry();
  if (!ino) return ino.error();
  entry.ino = *ino;
  return ShownEntry(std::move(entry));
}

// What is shown under one name. `place`: null where the directory is in no upper.
Result<Listings::ShownEntry> Listings::show(Inode& directory, const RealFileRef& place, const LowerChildren& below,
                                            std::string_view name) {
  const LowerChild* lower = find_child(below, name_cookie(name), name);
  if (place != nullptr) {
    if (whiteout_files_) {
      LAMINA_ASSIGN(const bool hidden, upper_hides(directory, place->descriptor(), name));
      if (hidden) return ShownEntry();
    }
    const auto status = sys::status_at(place->descriptor(), name);
    if (status) return show_upper(place, {name, status->ino, status->type()}, lower);
    if (!is_absent(status)) return status.error();
  }
  return lower == nullptr || lower->whiteout ? ShownEntry() : ShownEntry(lower->entry);
}

// The upper's own names into `into`, and those that hide a lower's into `hidden`.
Status Listings::list_upper(Inode& directory, const RealFileRef& place, const LowerChildren& below,
                            std::vector<DirectoryEntry>& into, std::vector<std::string>& hidden) {
  LAMINA_ASSIGN(const sys::FileDescriptor opened, files_.open({place, {}}, O_RDONLY | O_DIRECTORY));
  std::vector<std::string> whiteouts;
  LAMINA_TRY(sys::read_directory(opened.get(), [&](const sys::DirectoryRecord& each) -> Status {
    if (whiteout_files_ && is_whiteout_file(each.name)) {
      whiteouts.emplace_back(each.name.substr(whiteout_file_prefix.size()));
      return {};
    }
    const LowerChild* lower = find_child(below, name_cookie(each.name), each.name);
    if (lower != nullptr) hidden.emplace_back(each.name);
    LAMINA_ASSIGN(ShownEntry entry, show_upper(place, each, lower));
    if (entry) into.push_back(std::move(*entry));
    return {};
  }));
  if (whiteouts.empty()) {
    if (whiteout_files_) note_no_whiteout_files(directory);
    return {};
  }
  std::sort(whiteouts.begin(), whiteouts.end());
  std::erase_if(into, [&](const DirectoryEntry& each) {
    return std::binary_search(whiteouts.begin(), whiteouts.end(), each.name);
  });
  hidden.insert(hidden.end(), whiteouts.begin(), whiteouts.end());
  return {};
}

Result<Listing> Listings::read(Inode& directory, const RealFileRef& place, const LowerChildren& below) {
  std::vector<DirectoryEntry> names;
  std::vector<std::string> hidden;
  if (place != nullptr) LAMINA_TRY(list_upper(directory, place, below, names, hidden));
  std::sort(hidden.begin(), hidden.end());
  for (const LowerChild& each : below) {
    if (!each.whiteout && !std::binary_search(hidden.begin(), hidden.end(), each.entry.name))
      names.push_back(each.entry);
  }
  return Listing(std::move(names));
}

Result<Listing> Listings::update(Inode& directory, const KnownListing::Start& start, const RealFileRef& place,
                                 const LowerChildren& below) {
  std::vector<std::string> names = start.names;
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  std::vector<Listing::Change> changes;
  for (std::string& name : names) {
    LAMINA_ASSIGN(ShownEntry entry, show(directory, place, below, name));
    changes.push_back({name_cookie(name), std::move(name), std::move(entry)});
  }
  std::optional<Listing> updated = start.listing->with(std::move(changes));
  return updated ? Result<Listing>(std::move(*updated)) : read(directory, place, below);
}

Result<ListingRef> Listings::make(Inode& directory, const KnownListing::Start& start) {
  bool has_upper = false;
  {
    std::lock_guard lock(directory.mutex);
    has_upper = directory.has_upper;
  }
  LAMINA_ASSIGN(const auto below, lower_children(directory));
  RealFileRef place;
  if (has_upper) {
    LAMINA_ASSIGN(place, places_.directory(directory));
  }
  auto names = start.listing ? update(directory, start, place, *below) : read(directory, place, *below);
  if (!names) return names.error();
  auto listing = std::make_shared<const Listing>(std::move(*names));
  // Whoever looks up what was listed, or lists it again after a change, wants the lowers' names too.
  using Both = std::pair<ListingRef, std::shared_ptr<const LowerChildren>>;
  lists_.keep(directory.id, std::make_shared<const Both>(listing, below), listing->size() + below->size());
  return ListingRef(std::move(listing));
}

Result<ListingRef> Listings::of(Inode& directory) {
  KnownListing::Start start;
  {
    std::lock_guard lock(directory.mutex);
    start = directory.directory().listing.begin();
  }
  if (KnownListing::up_to_date(start)) return start.listing;
  auto made = make(directory, start);
  std::lock_guard lock(directory.mutex);
  directory.directory().listing.end(start, made ? *made : ListingRef());
  return made;
}

bool Listings::only_lowers_show(Inode& directory, std::string_view name) {
  ListingRef listing;
  {
    std::lock_guard lock(directory.mutex);
    listing = directory.directory().listing.current();
  }
  const DirectoryEntry* entry = listing ? listing->find(name_cookie(name), name) : nullptr;
  return entry != nullptr && !entry->in_upper;
}

}  // namespace lamina::overlay
