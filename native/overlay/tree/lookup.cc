// From a parent and a name to what the layers hold there.
#include <algorithm>

#include "overlay/layers/whiteout_files.h"
#include "overlay/tree/overlay.h"
#include "sys/names.h"

namespace lamina::overlay {

using sys::Errno;

namespace {
constexpr std::size_t longest_name = 255;
constexpr std::size_t few_layers = 2;
}  // namespace

Result<std::shared_ptr<const LowerChildren>> Overlay::lower_children(Inode& directory) {
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

// Of many lowers, only those with the name and those below them remain.
Status Overlay::skip_lowers(Inode& parent, std::string_view name, std::vector<LowerPlace>& lowers) {
  if (lowers.size() <= few_layers) return {};
  LAMINA_ASSIGN(const auto children, lower_children(parent));
  const LowerChild* child = find_child(*children, name_cookie(name), name);
  const std::size_t first = child == nullptr || child->whiteout ? lowers.size() : child->place;
  lowers.erase(lowers.begin(), lowers.begin() + static_cast<std::ptrdiff_t>(first));
  return {};
}

// A regular file that we know as a whole file of the upper has no marks that would have to be read. Gives its
// protection.
std::optional<Protection> Overlay::known_to_be_whole(const sys::FileStatus& upper) const {
  if (!upper.is_regular()) return std::nullopt;
  const InodeRef known = table_.find({0, upper.ino});
  if (!known || !known->resolved.load(std::memory_order_acquire)) return std::nullopt;
  const Protection protection = known->protection.load(std::memory_order_relaxed);
  std::lock_guard lock(known->mutex);
  const bool whole = known->is_regular() && known->has_upper && !known->metacopy;
  return whole ? std::optional(protection) : std::nullopt;
}

// Of a directory or regular file in the upper.
Result<Marks> Overlay::upper_marks(const sys::FileStatus& status, int directory, std::string_view name) {
  LAMINA_ASSIGN(Marks marks, read_marks_at(marks_, status, directory, name));
  if (options_.whiteout_files && status.is_directory() && !marks.opaque) {
    const auto look = [&] { return has_opaque_file(directory, name); };
    LAMINA_ASSIGN(marks.opaque, upper_files_.with_access({{directory, name}}, look));
  }
  return marks;
}

// What an entry of the upper is by itself, and where those below it are found; none where they do not matter.
Result<std::optional<std::string>> Overlay::find_in_upper(const RealFile& directory, std::string_view name,
                                                          Found& found) {
  const std::optional<std::string> covered;
  if (options_.whiteout_files) {
    LAMINA_ASSIGN(const bool hidden, has_whiteout_file(directory.descriptor(), name));
    if (hidden) return covered;
  }
  const auto status = sys::status_at(directory.descriptor(), name);
  if (is_absent(status)) return std::optional(std::string());
  if (!status) return status.error();
  if (status->is_whiteout()) {
    found.what = FoundWhiteout{*status};
    return covered;
  }
  if (const auto protection = known_to_be_whole(*status)) {
    found.what = FoundInUpper{*status, FoundInUpper::Form::whole, *protection};
    return covered;
  }
  if (!status->is_directory() && !status->is_regular()) {
    found.what = FoundInUpper{*status, FoundInUpper::Form::whole, {}};
    return covered;
  }
  LAMINA_ASSIGN(Marks marks, upper_marks(*status, directory.descriptor(), name));
  if (marks.whiteout) {
    found.what = FoundWhiteout{*status};
    return covered;
  }
  const bool redirected = status->is_directory() && !marks.redirect.empty();
  const auto form = marks.metacopy ? FoundInUpper::Form::metacopy
                    : redirected   ? FoundInUpper::Form::redirected
                                   : FoundInUpper::Form::whole;
  found.what = FoundInUpper{*status, form, marks.protection};
  if (marks.opaque || (status->is_regular() && !marks.metacopy)) return covered;
  return std::optional(std::move(marks.redirect));
}

Result<Found> Overlay::find(Inode& parent, std::string_view name) {
  if (name.size() > longest_name) return Errno{ENAMETOOLONG};
  Found found;
  if (options_.whiteout_files && is_whiteout_file(name)) return found;
  std::vector<LowerPlace> lowers;
  bool has_upper = false;
  {
    std::lock_guard lock(parent.mutex);
    lowers = parent.lowers;
    has_upper = parent.has_upper;
  }
  std::string redirect;
  if (has_upper) {
    LAMINA_ASSIGN(const RealFileRef directory, upper_directory(parent));
    LAMINA_ASSIGN(std::optional<std::string> below, find_in_upper(*directory, name, found));
    if (!below) return found;
    redirect = std::move(*below);
  }
  if (redirect.empty()) LAMINA_TRY(skip_lowers(parent, name, lowers));
  LAMINA_ASSIGN(const bool has_data, lowers_.find(lowers, name, found, std::move(redirect)));
  if (!has_data) return Errno{EIO};  // as in the kernel
  return found;
}

Result<bool> Overlay::visible_below(Inode& parent, std::string_view name) {
  std::vector<LowerPlace> lowers;
  {
    std::lock_guard lock(parent.mutex);
    lowers = parent.lowers;
  }
  LAMINA_TRY(skip_lowers(parent, name, lowers));
  Found found;
  LAMINA_ASSIGN([[maybe_unused]] const bool has_data, lowers_.find(lowers, name, found, {}));
  return found.visible();
}

Result<Entry> Overlay::lookup(NodeId parent, std::string_view name) {
  if (name == ".") {
    InodeRef inode;
    {
      TreeLock::Shared lock(tree_);
      LAMINA_ASSIGN(inode, revive(parent));
    }
    return entry_of(inode);
  }
  Found found;
  InodeRef inode;
  {
    TreeLock::Shared lock(tree_);
    LAMINA_ASSIGN(const InodeRef directory, get(parent));
    if (name == "..") {
      inode = directory->parent ? directory->parent : directory;
      table_.raise(inode);
    } else {
      if (!directory->is_directory()) return Errno{ENOTDIR};
      LAMINA_ASSIGN(found, find(*directory, name));
      if (!found.visible()) return Errno{ENOENT};
      LAMINA_ASSIGN(inode, intern(directory, name, found));
    }
  }
  return found.visible() ? entry_of(inode, found) : entry_of(inode);
}

// The inode at a path of the merged tree, its lookup count raised; null where there is none.
Result<InodeRef> Overlay::resolve_inode(std::string_view path) {
  InodeRef at = root_;
  table_.raise(at);
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    const std::string_view name = path.substr(0, slash);
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
    auto found = at->is_directory() ? find(*at, name) : Result<Found>(Found());
    auto next = found && found->visible() ? intern(at, name, *found) : Result<InodeRef>(InodeRef());
    table_.forget(at->id, 1);
    if (!found) return found.error();
    if (!next || !*next) return next;
    at = *next;
  }
  return at;
}

Result<std::string> Overlay::path(NodeId node) {
  TreeLock::Shared lock(tree_);
  LAMINA_ASSIGN(const InodeRef inode, get(node));
  return path_of(*inode);
}

}  // namespace lamina::overlay
