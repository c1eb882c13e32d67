// The rules of a filter (docs/format-driver.md, "Filter rules"): the first that covers a path decides.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "filter/filter.h"
#include "filter/glob.h"

namespace lamina::filter {

class Rules {
 public:
  // EINVAL with an explanation where the text is not a rule list of version 1.
  static Result<Rules> parse(std::string_view json, std::string& explanation);
  static Result<Rules> load(const std::string& path, std::string& explanation);

  [[nodiscard]] Decision decide(std::string_view path) const;
  // Whether a path below `directory` may be protected.
  [[nodiscard]] bool may_protect_below(std::string_view directory) const;

 private:
  struct Rule {
    Glob glob;
    Decision decision = Decision::capture;
  };
  std::vector<Rule> rules_;
};

}  // namespace lamina::filter
