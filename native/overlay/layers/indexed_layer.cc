#include "overlay/layers/indexed_layer.h"

#include <sys/stat.h>

#include <algorithm>
#include <climits>

#include "overlay/layers/attributes.h"

namespace lamina::overlay {

namespace {

bool is_whiteout(const IndexEntry& entry) {
  return entry.is(IndexEntry::whiteout) || (S_ISCHR(entry.mode) && entry.rdev_major == 0 && entry.rdev_minor == 0);
}

Attributes attributes_of(const IndexEntry& entry) {
  Attributes attributes;
  attributes.size = entry.size;
  attributes.blocks = entry.blocks;
  attributes.atime = {entry.atime, entry.atime_ns};
  attributes.mtime = {entry.mtime, entry.mtime_ns};
  attributes.ctime = {entry.ctime, entry.ctime_ns};
  attributes.btime = {entry.btime, entry.btime_ns};
  attributes.mode = entry.mode;
  attributes.nlink = entry.nlink;
  attributes.uid = entry.uid;
  attributes.gid = entry.gid;
  attributes.rdev_major = entry.rdev_major;
  attributes.rdev_minor = entry.rdev_minor;
  return attributes;
}

}  // namespace

Result<std::uint64_t> IndexedLayer::ino(std::uint32_t number, const IndexEntry& entry) const {
  LAMINA_ASSIGN(const std::uint32_t first, index_->first_name(number, entry));
  return ino_of(position_, std::uint64_t{first} + 1);
}

// The flags show in advance that most entries have no marks; the values of marks are in the xattrs, under the prefix of
// this mount.
Result<Marks> IndexedLayer::marks(const IndexEntry& entry) const {
  Marks marks;
  marks.whiteout = is_whiteout(entry);
  constexpr unsigned others = IndexEntry::opaque | IndexEntry::metacopy | IndexEntry::redirect;
  if (marks.whiteout || (entry.flags & others) == 0) return marks;
  sys::FileStatus status;
  status.mode = entry.mode;
  status.size = entry.size;
  LAMINA_ASSIGN(marks, read_marks(names_, status, [&](std::string_view name) -> Result<std::vector<std::byte>> {
                  LAMINA_ASSIGN(const auto value, index_->xattr(entry, name));
                  return std::vector<std::byte>(value.begin(), value.end());
                }));
  marks.whiteout = false;  // the flag counts: it was set with knowledge of the directory
  return marks;
}

Result<bool> IndexedLayer::is_escaped_whiteout(const IndexEntry& entry) const {
  if (!entry.is(IndexEntry::has_xattrs) || !S_ISREG(entry.mode) || entry.size != 0) return false;
  const auto value = index_->xattr(entry, names_.escaped_whiteout);
  if (value.failed_with(ENODATA)) return false;
  return value.ok() ? Result<bool>(true) : value.error();
}

Result<Attributes> IndexedLayer::attributes(std::uint32_t number, const IndexEntry& entry) const {
  Attributes attributes = attributes_of(entry);
  LAMINA_ASSIGN(const bool device, is_escaped_whiteout(entry));
  if (device) show_as_device(attributes);
  LAMINA_ASSIGN(attributes.ino, ino(number, entry));
  return attributes;
}

Result<LowerEntry> IndexedLayer::lower_entry(std::uint32_t number) const {
  LAMINA_ASSIGN(const IndexEntry entry, index_->entry(number));
  LowerEntry found;
  found.reference.entry = number;
  LAMINA_ASSIGN(found.attributes, attributes(number, entry));
  LAMINA_ASSIGN(found.marks, marks(entry));
  return found;
}

Result<LowerEntry> IndexedLayer::lookup(const LowerRef& directory, std::string_view name) const {
  if (name.size() > NAME_MAX) return sys::Errno{ENAMETOOLONG};
  LAMINA_ASSIGN(const std::uint32_t number, index_->find(directory.entry, name));
  return lower_entry(number);
}

Result<LowerEntry> IndexedLayer::get(const LowerRef& reference) const { return lower_entry(reference.entry); }

Result<Attributes> IndexedLayer::attributes(const LowerRef& reference) const {
  LAMINA_ASSIGN(const IndexEntry entry, index_->entry(reference.entry));
  return attributes(reference.entry, entry);
}

Result<Layer::Child> IndexedLayer::child(std::uint32_t number) const {
  LAMINA_ASSIGN(const IndexEntry entry, index_->entry(number));
  LAMINA_ASSIGN(const std::string_view name, index_->name(entry));
  if (!is_possible_name(name)) return sys::Errno{EIO};
  Child child;
  child.whiteout = is_whiteout(entry);
  child.entry.cookie = cookie_of_hash(entry.name_hash);
  LAMINA_ASSIGN(child.entry.ino, ino(number, entry));
  LAMINA_ASSIGN(const bool device, is_escaped_whiteout(entry));
  child.entry.type = child.whiteout || device ? S_IFCHR : entry.mode & S_IFMT;
  child.entry.name = name;
  return child;
}

Result<std::vector<Layer::Child>> IndexedLayer::list(const LowerRef& directory) const {
  LAMINA_ASSIGN(const IndexFile::Range range, index_->children(directory.entry));
  std::vector<Child> children;
  children.reserve(range.count);
  for (std::uint32_t number = range.first; number < range.first + range.count; ++number) {
    LAMINA_ASSIGN(Child found, child(number));
    children.push_back(std::move(found));
  }
  // The index is in the order of the full hashes: only names that share a cookie may be out of order.
  const auto less = [](const Child& left, const Child& right) { return listing_order(left.entry, right.entry); };
  if (!std::is_sorted(children.begin(), children.end(), less)) std::sort(children.begin(), children.end(), less);
  return children;
}

Result<std::string> IndexedLayer::read_link(const LowerRef& reference) const {
  LAMINA_ASSIGN(const IndexEntry entry, index_->entry(reference.entry));
  LAMINA_ASSIGN(const std::string_view target, index_->link_target(entry));
  return std::string(target);
}

Result<std::vector<std::byte>> IndexedLayer::xattr(const LowerRef& reference, std::string_view name) const {
  LAMINA_ASSIGN(const IndexEntry entry, index_->entry(reference.entry));
  LAMINA_ASSIGN(const auto value, index_->xattr(entry, name));
  return std::vector<std::byte>(value.begin(), value.end());
}

Result<std::string> IndexedLayer::xattr_names(const LowerRef& reference) const {
  LAMINA_ASSIGN(const IndexEntry entry, index_->entry(reference.entry));
  return index_->xattr_names(entry);
}

Result<sys::FileDescriptor> IndexedLayer::open(const LowerRef& reference, int flags) const {
  LAMINA_ASSIGN(const std::string path, index_->path(reference.entry));
  return root_.open(path, flags);
}

Result<std::vector<std::string>> IndexedLayer::link_group(const LowerRef& reference) const {
  LAMINA_ASSIGN(const auto members, index_->group(reference.entry));
  std::vector<std::string> paths;
  paths.reserve(members.size());
  for (const std::uint32_t member : members) {
    LAMINA_ASSIGN(std::string path, index_->path(member));
    paths.push_back(std::move(path));
  }
  return paths;
}

Result<std::vector<std::string>> IndexedLayer::links_below(const LowerRef& directory) const {
  LAMINA_ASSIGN(const auto members, index_->group_members_below(directory.entry));
  LAMINA_ASSIGN(const std::string above, index_->path(directory.entry));
  std::vector<std::string> paths;
  for (const std::uint32_t member : members) {
    LAMINA_ASSIGN(const std::string path, index_->path(member));
    paths.push_back(above.empty() ? path : path.substr(above.size() + 1));
  }
  return paths;
}

Result<std::vector<RedirectMark>> IndexedLayer::redirects() const {
  std::vector<RedirectMark> found;
  for (std::uint32_t number = 0; number < index_->count(); ++number) {
    LAMINA_ASSIGN(const IndexEntry entry, index_->entry(number));
    if (!entry.is(IndexEntry::redirect) || !S_ISDIR(entry.mode)) continue;
    LAMINA_ASSIGN(Marks its, marks(entry));
    if (its.redirect.empty()) continue;  // of another prefix
    LAMINA_ASSIGN(std::string path, index_->path(number));
    found.push_back({std::move(path), std::move(its.redirect)});
  }
  return found;
}

Result<std::uint64_t> IndexedLayer::identity(const LowerRef& reference) const {
  LAMINA_ASSIGN(const IndexEntry entry, index_->entry(reference.entry));
  LAMINA_ASSIGN(const std::uint32_t first, index_->first_name(reference.entry, entry));
  return std::uint64_t{first};
}

Result<std::string> IndexedLayer::path(const LowerRef& reference) const { return index_->path(reference.entry); }

}  // namespace lamina::overlay
