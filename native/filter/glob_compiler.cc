// From the text of a glob to its alternatives: braces are expanded first, then each alternative is cut at its slashes.
#include <algorithm>

#include "filter/byte_string.h"
#include "filter/glob.h"

namespace lamina::filter {

namespace {

// The limits below are named as in src/base/limits.ts and docs/security.md.
constexpr std::size_t max_alternatives = 4096;
// The kernel accepts no longer path. Nested braces are expanded recursively, so the length bounds the depth too.
constexpr std::size_t max_length = 4096;
// Bytes of all alternatives: each needs the memory and the time of a pattern of its length.
constexpr std::size_t max_expanded = std::size_t{256} * 1024;

// The length of an escaped character or a set at the beginning of `text`, which is skipped whole.
std::size_t opaque_length(std::string_view text) {
  if (text[0] == '\\') return std::min<std::size_t>(2, text.size());
  if (text[0] != '[') return 1;
  std::size_t at = 1;
  if (at < text.size() && (text[at] == '!' || text[at] == '^')) ++at;
  if (at < text.size() && text[at] == ']') ++at;  // first in the set: stands for itself
  while (at < text.size() && text[at] != ']') at += text[at] == '\\' ? 2U : 1U;
  return at < text.size() ? at + 1 : 1;
}

// A brace at `open`: the parts between its commas and where it ends. Without a closing brace `end` is npos.
struct Brace {
  std::vector<std::string_view> parts;
  std::size_t end = std::string_view::npos;
};
Brace read_brace(std::string_view text, std::size_t open) {
  Brace brace;
  int depth = 0;
  std::size_t begin = open + 1;
  for (std::size_t at = open; at < text.size(); at += opaque_length(text.substr(at))) {
    if (text[at] == '{') ++depth;
    if (depth == 1 && (text[at] == ',' || text[at] == '}')) {
      brace.parts.push_back(text.substr(begin, at - begin));
      begin = at + 1;
    }
    if (text[at] == '}' && --depth == 0) {
      brace.end = at + 1;
      break;
    }
  }
  return brace;
}

// The alternatives of a pattern, or the error.
class Expansion {
 public:
  explicit Expansion(std::string& problem) : problem_(problem) {}

  // False on an error.
  bool add(const std::string& text) {
    std::size_t at = 0;
    while (at < text.size() && text[at] != '{') at += opaque_length(std::string_view(text).substr(at));
    if (at >= text.size()) return keep(text);
    const Brace brace = read_brace(text, at);
    if (brace.end == std::string_view::npos) problem_ = "has a { without a }";
    for (const std::string_view part : brace.parts) {
      if (!problem_.empty()) break;
      std::string alternative = text.substr(0, at);
      alternative += part;
      alternative += text.substr(brace.end);
      // The text before the brace has no braces; those within a part are expanded by this call.
      if (!add(alternative)) break;
    }
    return problem_.empty();
  }

  [[nodiscard]] const std::vector<std::string>& texts() const { return texts_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  bool keep(const std::string& text) {
    texts_.push_back(text);
    bytes_ += text.size();
    if (texts_.size() > max_alternatives)
      problem_ = "has too many alternatives; the limit 'glob alternatives' is 4,096 alternatives";
    if (bytes_ > max_expanded) problem_ = "has too long alternatives; the limit 'glob expansion' is 262,144 bytes";
    return problem_.empty();
  }

  std::string& problem_;
  std::vector<std::string> texts_;
  std::size_t bytes_ = 0;
};

}  // namespace

class Glob::Compiler {
 public:
  explicit Compiler(std::string& problem) : problem_(problem) {}

  Alternative alternative(std::string_view pattern) {
    Alternative components;
    while (!pattern.empty() && problem_.empty()) {
      const std::size_t end = component_end(pattern);
      const std::string_view text = pattern.substr(0, end);
      pattern.remove_prefix(std::min(end + 1, pattern.size()));
      if (text == "." || text == "..") problem_ = "has a component \".\" or \"..\", which no path of a mount has";
      if (!text.empty()) components.push_back(component(text));
    }
    if (components.size() > max_components)
      problem_ = "has too many components; the limit 'glob components' is 63 components";
    return components;
  }

 private:
  static std::size_t component_end(std::string_view pattern) {
    std::size_t at = 0;
    while (at < pattern.size() && pattern[at] != '/') at += opaque_length(pattern.substr(at));
    return std::min(at, pattern.size());
  }

  Component component(std::string_view text) {
    Component compiled;
    if (text == "**") {
      compiled.any_depth = true;
      return compiled;
    }
    while (!text.empty() && problem_.empty()) text.remove_prefix(take_step(text, compiled.steps));
    return compiled;
  }

  // Appends the step at the beginning of `text` and returns its length in bytes.
  std::size_t take_step(std::string_view text, std::vector<Step>& steps) {
    if (text[0] == '*') {
      if (steps.empty() || steps.back().kind != Step::Kind::any) steps.push_back({Step::Kind::any, {}, {}, false});
      return 1;
    }
    if (text[0] == '?') {
      steps.push_back({Step::Kind::one_of, {}, {}, true});
      return 1;
    }
    if (text[0] == '[') return take_set(text, steps);
    const bool escaped = text[0] == '\\';
    if (escaped && text.size() == 1) problem_ = "ends with a backslash";
    if (steps.empty() || steps.back().kind != Step::Kind::text) steps.push_back({});
    if (!escaped || text.size() > 1) steps.back().text += text[escaped ? 1 : 0];
    return escaped ? 2 : 1;
  }

  std::size_t take_set(std::string_view text, std::vector<Step>& steps) {
    const std::size_t end = opaque_length(text);
    if (end == 1) {
      problem_ = "has a [ without a ]";
      return text.size();
    }
    Step step{Step::Kind::one_of, {}, {}, text[1] == '!' || text[1] == '^'};
    std::string_view members = text.substr(1, end - 2);
    if (step.negated) members.remove_prefix(1);
    while (!members.empty()) {
      Step::Span span;
      span.first = span.last = take_member(members);
      if (members.size() > 1 && members[0] == '-') {
        members.remove_prefix(1);
        span.last = take_member(members);
        if (span.last < span.first) problem_ = "has a range that runs backwards";
      }
      step.spans.push_back(span);
    }
    steps.push_back(std::move(step));
    return end;
  }

  static std::uint32_t take_member(std::string_view& members) {
    if (members[0] == '\\' && members.size() > 1) members.remove_prefix(1);
    const Character character = first_character(members);
    members.remove_prefix(character.length);
    return character.code;
  }

  std::string& problem_;
};

sys::Result<Glob> Glob::compile(std::string_view pattern, std::string& explanation) {
  std::string problem;
  if (!pattern.starts_with('/')) problem = "does not begin with /";
  if (pattern.size() > max_length) {
    explanation = "a pattern of " + std::to_string(pattern.size()) + " bytes; the limit 'glob length' is 4,096 bytes";
    return sys::Errno{EINVAL};
  }
  Expansion expansion(problem);
  Glob glob;
  if (problem.empty() && expansion.add(std::string(pattern))) {
    Compiler compiler(problem);
    for (const std::string& text : expansion.texts()) glob.alternatives_.push_back(compiler.alternative(text));
    glob.bytes_ = expansion.bytes();
  }
  if (problem.empty()) return glob;
  explanation = "pattern \"" + std::string(pattern) + "\" " + problem;
  return sys::Errno{EINVAL};
}

}  // namespace lamina::filter
