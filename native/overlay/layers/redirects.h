// The redirects of one layer: which of its directories show directories of the layers below from another path.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "overlay/layers/marks.h"
#include "sys/result.h"

namespace lamina::overlay {

class Redirects {
 public:
  // In any order.
  explicit Redirects(std::vector<RedirectMark> marks);

  [[nodiscard]] bool empty() const { return all_.empty(); }
  // A directory's path, and the path in the layers below at which its content is found there.
  struct Redirect {
    std::string path, below;
  };
  [[nodiscard]] const std::vector<Redirect>& all() const { return all_; }

  // The directory `from`, with all below it, is at `to` now. `below`: what it is redirected to; empty where it is not.
  void moved(std::string_view from, std::string_view to, std::string_view below);
  // The two directories were exchanged.
  void exchanged(std::string_view one, std::string_view other, std::string_view below_one,
                 std::string_view below_other);

 private:
  std::vector<Redirect> all_;
};

// Of paths from a root; either may be "".
[[nodiscard]] std::string join_paths(std::string_view directory, std::string_view rest);
// The rest of `path` after `directory` and a slash, or "" where they are the same; null where it is not below.
[[nodiscard]] const char* rest_below(const std::string& path, std::string_view directory);

// All redirected directories below `root`, an open directory, by looking at each. Others may make and remove names
// meanwhile.
Result<std::vector<RedirectMark>> find_redirects(int root, const MarkNames& names);

}  // namespace lamina::overlay
