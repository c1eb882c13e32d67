// Globs as specified in docs/format-driver.md, implemented plainly: all alternatives are expanded, and each way to
// match is tried, remembering those that failed. For patterns that Glob::compile accepts.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lamina::fuzz {

class PlainGlob {
 public:
  explicit PlainGlob(const std::string& pattern);

  // `path` has no leading slash and no empty component; "" is the root.
  [[nodiscard]] bool covers(std::string_view path) const;

 private:
  std::vector<std::vector<std::string>> alternatives_;  // each the texts of its components
};

}  // namespace lamina::fuzz
