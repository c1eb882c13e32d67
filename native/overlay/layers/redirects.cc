#include "overlay/layers/redirects.h"

#include <sys/stat.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "overlay/layers/walk.h"
#include "sys/xattrs.h"

namespace lamina::overlay {

std::string join_paths(std::string_view directory, std::string_view rest) {
  std::string path(directory);
  if (!path.empty() && !rest.empty()) path += '/';
  path += rest;
  return path;
}

const char* rest_below(const std::string& path, std::string_view directory) {
  if (directory.empty()) return path.c_str();
  if (!path.starts_with(directory)) return nullptr;
  if (path.size() == directory.size()) return path.c_str() + path.size();
  return path[directory.size()] == '/' ? path.c_str() + directory.size() + 1 : nullptr;
}

namespace {

// The redirect of the nearest directory at or above `path`; null where there is none. @param sorted by path
const Redirects::Redirect* redirect_above(const std::vector<Redirects::Redirect>& sorted, std::string_view path) {
  for (;;) {
    const auto found =
        std::lower_bound(sorted.begin(), sorted.end(), path,
                         [](const Redirects::Redirect& each, std::string_view wanted) { return each.path < wanted; });
    if (found != sorted.end() && found->path == path) return &*found;
    if (path.empty()) return nullptr;
    const std::size_t slash = path.rfind('/');
    path = slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
  }
}

}  // namespace

// A relative redirect names a sibling, below what the parent shows.
Redirects::Redirects(std::vector<RedirectMark> marks) {
  // Parents come before their children.
  std::sort(marks.begin(), marks.end(), [](const RedirectMark& a, const RedirectMark& b) { return a.path < b.path; });
  for (RedirectMark& mark : marks) {
    if (mark.value.starts_with('/')) {
      all_.push_back({std::move(mark.path), mark.value.substr(1)});
      continue;
    }
    const std::size_t slash = mark.path.rfind('/');
    std::string parent = slash == std::string::npos ? std::string() : mark.path.substr(0, slash);
    if (const Redirect* above = redirect_above(all_, parent))
      parent = join_paths(above->below, rest_below(parent, above->path));
    all_.push_back({std::move(mark.path), join_paths(parent, mark.value)});
  }
}

void Redirects::moved(std::string_view from, std::string_view to, std::string_view below) {
  // What was there is gone.
  std::erase_if(all_, [&](const Redirect& each) { return rest_below(each.path, to) != nullptr; });
  for (Redirect& each : all_) {
    const char* rest = rest_below(each.path, from);
    if (rest != nullptr) each.path = join_paths(to, rest);
  }
  if (below.empty()) return;
  std::erase_if(all_, [&](const Redirect& each) { return each.path == to; });
  all_.push_back({std::string(to), std::string(below)});
}

void Redirects::exchanged(std::string_view one, std::string_view other, std::string_view below_one,
                          std::string_view below_other) {
  constexpr std::string_view temporary("\0", 1);  // not a possible path
  moved(one, temporary, below_one);
  moved(other, one, below_other);
  moved(temporary, other, {});
}

Result<std::vector<RedirectMark>> find_redirects(int root, const MarkNames& names) {
  std::vector<RedirectMark> found;
  LAMINA_TRY(walk_tree(root, [&](const WalkedEntry& each) -> Status {
    if (!S_ISDIR(each.type)) return {};
    auto value = sys::get_xattr(each.directory, each.name, names.redirect);
    // ENOENT: removed meanwhile.
    if (value.failed_with(ENODATA) || value.failed_with(EOPNOTSUPP) || value.failed_with(ENOENT)) return {};
    if (!value) return value.error();
    std::string redirect(reinterpret_cast<const char*>(value->data()), value->size());
    // An invalid one fails at its lookup.
    if (valid_redirect(redirect)) found.push_back({each.path, std::move(redirect)});
    return {};
  }));
  return found;
}

}  // namespace lamina::overlay
