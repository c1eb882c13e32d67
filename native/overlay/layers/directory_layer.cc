#include "overlay/layers/directory_layer.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <climits>

#include "overlay/layers/attributes.h"
#include "overlay/layers/redirects.h"
#include "overlay/layers/whiteout_files.h"
#include "overlay/layers/xxh64.h"
#include "sys/names.h"
#include "sys/open.h"
#include "sys/xattrs.h"

namespace lamina::overlay {

namespace {

std::string path_of(const PathNode& node) {
  std::vector<const PathNode*> nodes;
  for (const PathNode* current = &node; current->parent; current = current->parent.get()) nodes.push_back(current);
  std::string path;
  for (auto current = nodes.rbegin(); current != nodes.rend(); ++current) {
    if (!path.empty()) path += '/';
    path += (*current)->name;
  }
  return path;
}

// A symlink where a directory is expected.
sys::Errno not_through_symlinks(sys::Errno error) { return error.value == ELOOP ? sys::Errno{ENOTDIR} : error; }

}  // namespace

DirectoryLayer::DirectoryLayer(LayerRoot root, std::uint32_t position, bool user_xattr, bool whiteout_files,
                               std::uint64_t device, DirectoryRef descriptor, StoredOwners owners)
    : root_(std::move(root)),
      position_(position),
      names_(user_xattr, whiteout_files ? ForeignMarks::obeyed : ForeignMarks::ignored),
      whiteout_files_(whiteout_files),
      owners_(owners),
      device_(device),
      root_node_(std::make_shared<const PathNode>()),
      root_directory_(std::move(descriptor)) {}

Result<std::unique_ptr<DirectoryLayer>> DirectoryLayer::open(LayerRoot root, std::uint32_t position, bool user_xattr,
                                                             bool whiteout_files) {
  LAMINA_ASSIGN(auto descriptor, root.open("", O_PATH | O_DIRECTORY));
  LAMINA_ASSIGN(const sys::FileStatus status, sys::status_of(descriptor.get()));
  StoredOwners owners = StoredOwners::in_inode;
  if (whiteout_files) {
    LAMINA_ASSIGN(owners, stored_owners_of(descriptor.get()));
  }
  auto shared = std::make_shared<const sys::FileDescriptor>(std::move(descriptor));
  std::unique_ptr<DirectoryLayer> layer(new DirectoryLayer(std::move(root), position, user_xattr, whiteout_files,
                                                           status.device, std::move(shared), owners));
  LAMINA_ASSIGN(layer->escaped_whiteouts_, may_hold_escaped_whiteouts(layer->names_, layer->root_directory_->get()));
  return layer;
}

// The file's own number where it fits and the file system is the root's, as the kernel's xino does; the others share
// the upper half of the numbers by a hash.
std::uint64_t DirectoryLayer::ino(std::uint64_t device, std::uint64_t ino) const {
  constexpr std::uint64_t hashed = std::uint64_t{1} << (ino_position_shift - 1);
  if (device == device_ && ino < hashed) return ino_of(position_, ino);
  const std::uint64_t parts[2] = {device, ino};
  return ino_of(position_, hashed | (xxh64(std::as_bytes(std::span(parts))) & (hashed - 1)));
}

Result<DirectoryLayer::DirectoryRef> DirectoryLayer::directory(const Node& node) const {
  if (!node->parent) return root_directory_;
  {
    const std::lock_guard lock(mutex_);
    for (const Slot& slot : recent_) {
      if (slot.node == node) return slot.directory;
    }
  }
  auto opened = root_.open(path_of(*node), O_PATH | O_DIRECTORY);
  if (!opened.ok()) return not_through_symlinks(opened.error());
  auto shared = std::make_shared<const sys::FileDescriptor>(std::move(*opened));
  Slot replaced{node, shared};
  {
    const std::lock_guard lock(mutex_);
    std::swap(recent_[next_slot_], replaced);
    next_slot_ = (next_slot_ + 1) % recent_.size();
  }
  return shared;
}

Result<DirectoryLayer::Place> DirectoryLayer::place(const LowerRef& reference) const {
  if (!reference.path->parent) return Place{root_directory_, {}};
  LAMINA_ASSIGN(auto parent, directory(reference.path->parent));
  return Place{std::move(parent), reference.path->name};
}

Result<bool> DirectoryLayer::xattr_whiteouts(int directory) const {
  return holds_xattr_whiteouts(names_,
                               [&](std::string_view attribute) { return sys::get_xattr(directory, {}, attribute); });
}

Result<Marks> DirectoryLayer::marks_at(const Place& place, const sys::FileStatus& status) const {
  LAMINA_ASSIGN(Marks marks, read_marks_at(names_, status, place.at(), place.name));
  if (marks.whiteout && status.is_regular()) {
    LAMINA_ASSIGN(marks.whiteout, xattr_whiteouts(place.at()));
  }
  if (whiteout_files_ && status.is_directory() && !marks.opaque) {
    LAMINA_ASSIGN(marks.opaque, has_opaque_file(place.at(), place.name));
  }
  return marks;
}

// No layer but one that has held escaped whiteouts is asked.
Result<bool> DirectoryLayer::is_escaped_whiteout(int directory, std::string_view name,
                                                 const sys::FileStatus& status) const {
  if (!escaped_whiteouts_ || !status.is_regular() || status.size != 0) return false;
  LAMINA_ASSIGN(const Marks marks, read_marks_at(names_, status, directory, name));
  return marks.escaped_whiteout;
}

Attributes DirectoryLayer::attributes_of(const sys::FileStatus& status) const {
  Attributes attributes = to_attributes(status);
  attributes.ino = ino(status.device, status.ino);
  return attributes;
}

Result<LowerEntry> DirectoryLayer::entry_at(const Place& place, Node node) const {
  LAMINA_ASSIGN(const sys::FileStatus status, sys::status_at(place.at(), place.name));
  LowerEntry found;
  found.reference.path = std::move(node);
  found.attributes = attributes_of(status);
  LAMINA_TRY(apply_stored_file(owners_, place.at(), place.name, found.attributes));
  LAMINA_ASSIGN(found.marks, marks_at(place, status));
  found.marks.protection = protection_of(status);
  if (escaped_whiteouts_ && found.marks.escaped_whiteout) show_as_device(found.attributes);
  return found;
}

Result<LowerEntry> DirectoryLayer::lookup(const LowerRef& directory, std::string_view name) const {
  if (name.empty()) return sys::Errno{ENOENT};
  if (!whiteout_files_) return lookup_listed(directory, name);
  if (is_whiteout_file(name)) return sys::Errno{ENOENT};
  LAMINA_ASSIGN(const auto parent, this->directory(directory.path));
  LAMINA_ASSIGN(const bool hidden, has_whiteout_file(parent->get(), name));
  if (!hidden) return lookup_listed(directory, name);
  LowerEntry whiteout;
  whiteout.reference.path = std::make_shared<const PathNode>(PathNode{directory.path, std::string(name)});
  whiteout.attributes.mode = S_IFCHR;
  whiteout.marks.whiteout = true;
  return whiteout;
}

Result<LowerEntry> DirectoryLayer::lookup_listed(const LowerRef& directory, std::string_view name) const {
  LAMINA_ASSIGN(auto parent, this->directory(directory.path));
  auto node = std::make_shared<const PathNode>(PathNode{directory.path, std::string(name)});
  return entry_at({std::move(parent), node->name}, node);
}

Result<LowerEntry> DirectoryLayer::get(const LowerRef& reference) const {
  LAMINA_ASSIGN(const Place found, place(reference));
  return entry_at(found, reference.path);
}

Result<Attributes> DirectoryLayer::attributes(const LowerRef& reference) const {
  LAMINA_ASSIGN(const Place found, place(reference));
  LAMINA_ASSIGN(const sys::FileStatus status, sys::status_at(found.at(), found.name));
  Attributes its = attributes_of(status);
  LAMINA_TRY(apply_stored_file(owners_, found.at(), found.name, its));
  LAMINA_ASSIGN(const bool device, is_escaped_whiteout(found.at(), found.name, status));
  if (device) show_as_device(its);
  return its;
}

// An attribute of another form is reported when the name is looked up, and takes no other name with it.
Result<std::uint32_t> DirectoryLayer::type_of(int directory, std::string_view name,
                                              const sys::FileStatus& status) const {
  Attributes shown = to_attributes(status);
  const Status applied = apply_stored_file(owners_, directory, name, shown);
  if (!applied.ok() && !applied.failed_with(EINVAL)) return applied.error();
  return shown.mode & S_IFMT;
}

Result<Layer::Child> DirectoryLayer::child_of(int directory, std::uint64_t device, bool xattr_whiteouts,
                                              const sys::DirectoryRecord& record) const {
  Child child;
  child.entry.name = record.name;
  child.entry.cookie = name_cookie(record.name);
  child.entry.ino = ino(device, record.ino);
  child.entry.type = record.type;
  const bool may_stand_for_device = xattr_whiteouts || escaped_whiteouts_ || owners_ != StoredOwners::in_inode;
  const bool look = record.type == 0 || record.type == S_IFCHR || (may_stand_for_device && record.type == S_IFREG);
  if (!look) return child;
  LAMINA_ASSIGN(const sys::FileStatus status, sys::status_at(directory, record.name));
  LAMINA_ASSIGN(child.entry.type, type_of(directory, record.name, status));
  child.whiteout = status.is_whiteout();
  LAMINA_ASSIGN(const bool shows_device, is_escaped_whiteout(directory, record.name, status));
  if (shows_device) child.entry.type = S_IFCHR;
  if (xattr_whiteouts && status.is_regular() && status.size == 0) {
    LAMINA_ASSIGN(const Marks marks, read_marks_at(names_, status, directory, record.name));
    child.whiteout = marks.whiteout;
    if (marks.whiteout) child.entry.type = S_IFCHR;
  }
  return child;
}

// Removes the names that are marks, and adds a whiteout for each name that they hide.
void DirectoryLayer::obey_whiteout_files(std::vector<Child>& children) {
  std::vector<std::string> hidden;
  for (const Child& each : children) {
    if (!is_whiteout_file(each.entry.name)) continue;
    std::string name = each.entry.name.substr(whiteout_file_prefix.size());
    if (!name.empty() && name != "." && name != ".." && !is_whiteout_file(name)) hidden.push_back(std::move(name));
  }
  std::sort(hidden.begin(), hidden.end());
  std::erase_if(children, [&](const Child& each) {
    return is_whiteout_file(each.entry.name) || std::binary_search(hidden.begin(), hidden.end(), each.entry.name);
  });
  for (std::string& name : hidden) {
    Child whiteout;
    whiteout.whiteout = true;
    whiteout.entry.cookie = name_cookie(name);
    whiteout.entry.type = S_IFCHR;
    whiteout.entry.name = std::move(name);
    children.push_back(std::move(whiteout));
  }
}

Result<std::vector<Layer::Child>> DirectoryLayer::list(const LowerRef& directory) const {
  LAMINA_ASSIGN(const sys::FileDescriptor opened, open(directory, O_RDONLY | O_DIRECTORY));
  LAMINA_ASSIGN(const sys::FileStatus status, sys::status_of(opened.get()));
  LAMINA_ASSIGN(const bool in_xattrs, xattr_whiteouts(opened.get()));
  std::vector<Child> children;
  LAMINA_TRY(sys::read_directory(opened.get(), [&](const sys::DirectoryRecord& record) -> Status {
    LAMINA_ASSIGN(Child found, child_of(opened.get(), status.device, in_xattrs, record));
    children.push_back(std::move(found));
    return {};
  }));
  if (whiteout_files_) obey_whiteout_files(children);
  std::sort(children.begin(), children.end(),
            [](const Child& left, const Child& right) { return listing_order(left.entry, right.entry); });
  return children;
}

Result<std::string> DirectoryLayer::read_link(const LowerRef& reference) const {
  LAMINA_ASSIGN(const Place found, place(reference));
  return sys::read_link(found.at(), found.name);
}

Result<std::vector<std::byte>> DirectoryLayer::xattr(const LowerRef& reference, std::string_view name) const {
  LAMINA_ASSIGN(const Place found, place(reference));
  return sys::get_xattr(found.at(), found.name, name);
}

Result<std::string> DirectoryLayer::xattr_names(const LowerRef& reference) const {
  LAMINA_ASSIGN(const Place found, place(reference));
  return sys::list_xattrs(found.at(), found.name);
}

Result<sys::FileDescriptor> DirectoryLayer::open(const LowerRef& reference, int flags) const {
  LAMINA_ASSIGN(const Place found, place(reference));
  if (found.name.empty()) return root_.open("", flags);
  return root_.open_child(found.at(), found.name, flags);
}

Result<std::vector<std::string>> DirectoryLayer::link_group(const LowerRef&) const {
  return std::vector<std::string>();
}
Result<std::vector<std::string>> DirectoryLayer::links_below(const LowerRef&) const {
  return std::vector<std::string>();
}

Result<std::vector<RedirectMark>> DirectoryLayer::redirects() const {
  return find_redirects(root_.descriptor(), names_);
}

Result<std::uint64_t> DirectoryLayer::identity(const LowerRef& reference) const {
  LAMINA_ASSIGN(const Place found, place(reference));
  LAMINA_ASSIGN(const sys::FileStatus status, sys::status_at(found.at(), found.name));
  return attributes_of(status).ino;
}

Result<std::string> DirectoryLayer::path(const LowerRef& reference) const { return path_of(*reference.path); }

}  // namespace lamina::overlay
