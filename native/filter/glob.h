// Globs over paths (docs/format-driver.md, "Filter rules"): `*` within a component, `**` any number of components, `?`,
// `[a-z]`, `[!a-z]`, `{a,b}`, and `\` before a character that stands for itself. A pattern that matches a directory
// covers all below it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sys/result.h"

namespace lamina::filter {

class Glob {
 public:
  // EINVAL with an explanation where `pattern` is invalid: not beginning with "/", an open bracket or brace, "." or
  // ".." components, more than 4096 alternatives or 256 KiB of them, longer than 4096 bytes (PATH_MAX).
  static sys::Result<Glob> compile(std::string_view pattern, std::string& explanation);

  // How many patterns without braces it expands to.
  [[nodiscard]] std::size_t alternatives() const { return alternatives_.size(); }
  // Bytes of these patterns: memory, and the time of a match for each byte of a name, are proportional to it.
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  // `path` has no leading slash; "" is the root.
  [[nodiscard]] bool covers(std::string_view path) const;
  // Whether the pattern may cover something below `path`, existing or not.
  [[nodiscard]] bool may_cover_below(std::string_view path) const;

 private:
  // A step of a component: a text, or one character of a set, or any number of characters.
  struct Step {
    enum class Kind { text, any, one_of };
    struct Span {
      std::uint32_t first = 0, last = 0;
    };
    Kind kind = Kind::text;
    std::string text;
    std::vector<Span> spans;  // none with `negated`: any one character
    bool negated = false;
  };
  struct Component {
    bool any_depth = false;  // "**"
    std::vector<Step> steps;
  };
  using Alternative = std::vector<Component>;
  static constexpr std::size_t max_components = 63;  // so that a set of them fits 64 bits

  class Compiler;
  static bool matches_one(const Step& step, std::string_view text, std::size_t& length);
  static bool matches(const Component& component, std::string_view name);
  static std::uint64_t follow(const Alternative& alternative, std::string_view path);

  std::vector<Alternative> alternatives_;
  std::size_t bytes_ = 0;
};

}  // namespace lamina::filter
