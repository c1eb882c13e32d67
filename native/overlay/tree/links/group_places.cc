#include "overlay/tree/links/group_places.h"

#include <sys/stat.h>

#include <iterator>

namespace lamina::overlay {

namespace {
// A path is visible at one place. Layers assembled by hand may hold a redirected directory twice, and in another one
// again: more places than this stay unknown.
constexpr std::size_t most_places = 256;

// Whether a layer has, on the way from `at` or at the end, anything that hides those below there.
Result<bool> hides(const Layer& layer, LowerRef at, std::string_view path) {
  for (;;) {
    const std::size_t slash = path.find('/');
    auto entry = layer.lookup(at, path.substr(0, slash));
    if (is_absent(entry)) return false;
    if (!entry) return entry.error();
    const bool directory = (entry->attributes.mode & S_IFMT) == S_IFDIR;
    const Marks& marks = entry->marks;
    if (slash == std::string_view::npos || !directory || marks.whiteout || marks.opaque || !marks.redirect.empty())
      return true;
    at = std::move(entry->reference);
    path.remove_prefix(slash + 1);
  }
}

Result<std::optional<LowerRef>> directory_at(const Layer& layer, std::string_view path) {
  LowerRef at = layer.root();
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    auto entry = layer.lookup(at, path.substr(0, slash));
    if (is_absent(entry)) return std::optional<LowerRef>();
    if (!entry) return entry.error();
    at = std::move(entry->reference);
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
  }
  return std::optional(std::move(at));
}

}  // namespace

Result<std::shared_ptr<const Redirects>> GroupPlaces::redirects_of(std::size_t layer) {
  const std::lock_guard lock(mutex_);
  redirects_.resize(lowers_.size());
  if (!redirects_[layer]) {
    LAMINA_ASSIGN(std::vector<RedirectMark> marks, lowers_[layer].redirects());
    redirects_[layer] = std::make_shared<const Redirects>(std::move(marks));
  }
  return redirects_[layer];
}

// Paths of the stack below a layer, as they are visible with the layer on top.
Result<std::vector<std::string>> GroupPlaces::paths_above(std::size_t layer, const std::vector<std::string>& paths) {
  LAMINA_ASSIGN(const auto redirects, redirects_of(layer));
  if (redirects->empty()) return paths;
  const Layer& its = lowers_[layer];
  std::vector<std::string> above;
  const auto take = [&](const LowerRef& directory, std::string_view path, std::string_view rest) -> Status {
    LAMINA_ASSIGN(const bool hidden, hides(its, directory, rest));
    if (!hidden && above.size() < most_places) above.push_back(join_paths(path, rest));
    return {};
  };
  for (const std::string& path : paths) {
    LAMINA_TRY(take(its.root(), {}, path));
    for (const Redirects::Redirect& each : redirects->all()) {
      const char* rest = rest_below(path, each.below);
      if (rest == nullptr || *rest == 0) continue;
      LAMINA_ASSIGN(const std::optional<LowerRef> directory, directory_at(its, each.path));
      if (directory) LAMINA_TRY(take(*directory, each.path, rest));
    }
  }
  return above;
}

Result<std::vector<std::string>> GroupPlaces::of_path(std::size_t layer, const std::string& path) {
  std::vector<std::string> places{path};
  for (std::size_t above = layer; above-- > 0;) {
    LAMINA_ASSIGN(places, paths_above(above, places));
  }
  if (upper_ < 0) return places;
  const std::lock_guard lock(mutex_);
  if (!upper_redirects_) {
    LAMINA_ASSIGN(std::vector<RedirectMark> marks, find_redirects(upper_, marks_));
    upper_redirects_.emplace(std::move(marks));
  }
  const std::size_t below = places.size();
  for (const Redirects::Redirect& each : upper_redirects_->all()) {
    for (std::size_t i = 0; i < below; ++i) {
      const char* rest = rest_below(places[i], each.below);
      if (rest != nullptr && *rest != 0 && places.size() < most_places) places.push_back(join_paths(each.path, rest));
    }
  }
  return places;
}

Result<std::vector<std::string>> GroupPlaces::of_group(const LowerPlace& source) {
  LAMINA_ASSIGN(const std::vector<std::string> paths, lowers_.of(source).link_group(source.reference));
  std::vector<std::string> all;
  for (const std::string& path : paths) {
    LAMINA_ASSIGN(std::vector<std::string> places, of_path(source.layer, path));
    all.insert(all.end(), std::make_move_iterator(places.begin()), std::make_move_iterator(places.end()));
  }
  return all;
}

}  // namespace lamina::overlay
