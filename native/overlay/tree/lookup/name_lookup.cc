#include "overlay/tree/lookup/name_lookup.h"

#include <memory>
#include <mutex>

#include "overlay/layers/attributes.h"
#include "overlay/layers/whiteout_files.h"
#include "sys/names.h"

namespace lamina::overlay {

using sys::Errno;

namespace {
constexpr std::size_t longest_name = 255;
constexpr std::size_t few_layers = 2;
}  // namespace

// Of many lowers, only those with the name and those below them remain. Of few too, where the names are in memory and
// to look for one would be a call. True where the first that remains has listed the name.
Result<bool> NameLookup::skip_lowers(Inode& parent, std::string_view name, std::vector<LowerPlace>& lowers) {
  std::shared_ptr<const LowerChildren> children;
  if (lowers.size() > few_layers) {
    LAMINA_ASSIGN(children, listings_.lower_children(parent));
  } else if (!lowers.empty() && !lowers_.of(lowers.front()).indexed()) {
    children = Listings::known_lower_children(parent);
  }
  if (!children) return false;
  const LowerChild* child = find_child(*children, name_cookie(name), name);
  const std::size_t first = child == nullptr || child->whiteout ? lowers.size() : child->place;
  lowers.erase(lowers.begin(), lowers.begin() + static_cast<std::ptrdiff_t>(first));
  return true;
}

// A regular file that we know as a whole file of the upper has no marks that would have to be read. Gives its
// protection.
std::optional<Protection> NameLookup::known_to_be_whole(const sys::FileStatus& upper) const {
  if (!upper.is_regular()) return std::nullopt;
  const InodeRef known = table_.find({0, upper.ino});
  if (!known || !known->resolved.load(std::memory_order_acquire)) return std::nullopt;
  const Protection protection = known->protection.load(std::memory_order_relaxed);
  std::lock_guard lock(known->mutex);
  const bool whole = known->is_regular() && known->has_upper && !known->metacopy;
  return whole ? std::optional(protection) : std::nullopt;
}

// Of a directory or regular file in the upper.
Result<Marks> NameLookup::upper_marks(const sys::FileStatus& status, int directory, std::string_view name) {
  LAMINA_ASSIGN(Marks marks, read_marks_at(marks_, status, directory, name));
  if (whiteout_files_ && status.is_directory() && !marks.opaque) {
    const auto look = [&] { return has_opaque_file(directory, name); };
    LAMINA_ASSIGN(marks.opaque, files_.with_access({{directory, name}}, look));
  }
  return marks;
}

// What an entry of the upper is by itself, and where those below it are found; none where they do not matter.
Result<std::optional<std::string>> NameLookup::find_in_upper(Inode& parent, const RealFile& directory,
                                                             std::string_view name, Found& found) {
  const std::optional<std::string> covered;
  if (whiteout_files_) {
    LAMINA_ASSIGN(const bool hidden, upper_hides(parent, directory.descriptor(), name));
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
    found.what = FoundInUpper{*status, FoundInUpper::Form::whole, *protection, false};
    return covered;
  }
  if (!status->is_directory() && !status->is_regular()) {
    found.what = FoundInUpper{*status, FoundInUpper::Form::whole, {}, false};
    return covered;
  }
  LAMINA_ASSIGN(Marks marks, upper_marks(*status, directory.descriptor(), name));
  if (marks.whiteout) {
    found.what = FoundWhiteout{*status};
    return covered;
  }
  if (escaped_.is_one(marks)) {
    found.what = FoundInUpper{as_device(*status), FoundInUpper::Form::whole, marks.protection, false};
    return covered;
  }
  const bool redirected = status->is_directory() && !marks.redirect.empty();
  const auto form = marks.metacopy ? FoundInUpper::Form::metacopy
                    : redirected   ? FoundInUpper::Form::redirected
                                   : FoundInUpper::Form::whole;
  found.what = FoundInUpper{*status, form, marks.protection, marks.none};
  if (marks.opaque || (status->is_regular() && !marks.metacopy)) return covered;
  return std::optional(std::move(marks.redirect));
}

Result<Found> NameLookup::find(Inode& parent, std::string_view name) {
  if (name.size() > longest_name) return Errno{ENAMETOOLONG};
  Found found;
  if (whiteout_files_ && is_whiteout_file(name)) return found;
  std::vector<LowerPlace> lowers;
  bool has_upper = false;
  {
    std::lock_guard lock(parent.mutex);
    lowers = parent.lowers;
    has_upper = parent.has_upper;
  }
  std::string redirect;
  if (has_upper && !Listings::only_lowers_show(parent, name)) {
    LAMINA_ASSIGN(const RealFileRef directory, places_.directory(parent));
    LAMINA_ASSIGN(std::optional<std::string> below, find_in_upper(parent, *directory, name, found));
    if (!below) return found;
    redirect = std::move(*below);
  }
  bool listed = false;
  if (redirect.empty()) {
    LAMINA_ASSIGN(listed, skip_lowers(parent, name, lowers));
  }
  LAMINA_ASSIGN(const bool has_data, lowers_.find(lowers, name, found, std::move(redirect), listed));
  if (!has_data) return Errno{EIO};  // as in the kernel
  return found;
}

Result<bool> NameLookup::visible_below(Inode& parent, std::string_view name) {
  std::vector<LowerPlace> lowers;
  {
    std::lock_guard lock(parent.mutex);
    lowers = parent.lowers;
  }
  LAMINA_ASSIGN(const bool listed, skip_lowers(parent, name, lowers));
  Found found;
  LAMINA_ASSIGN([[maybe_unused]] const bool has_data, lowers_.find(lowers, name, found, {}, listed));
  return found.visible();
}

}  // namespace lamina::overlay
