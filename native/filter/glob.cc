#include "filter/glob.h"

#include <algorithm>

#include "filter/byte_string.h"

namespace lamina::filter {

// What `step`, which is not Kind::any, matches at the beginning of `text`.
bool Glob::matches_one(const Step& step, std::string_view text, std::size_t& length) {
  if (step.kind == Step::Kind::text) {
    length = step.text.size();
    return text.starts_with(step.text);
  }
  if (text.empty()) return false;
  const Character character = first_character(text);
  length = character.length;
  const bool found = std::any_of(step.spans.begin(), step.spans.end(), [&](const Step::Span& span) {
    return character.code >= span.first && character.code <= span.last;
  });
  return found != step.negated;
}

// Only the last `*` ever needs to match more: everything before it matched as early as possible.
bool Glob::matches(const Component& component, std::string_view name) {
  const auto& steps = component.steps;
  std::size_t step = 0;
  std::size_t at = 0;
  std::size_t star = steps.size();
  std::size_t star_at = 0;
  while (step < steps.size() || at < name.size()) {
    std::size_t length = 0;
    if (step < steps.size() && steps[step].kind == Step::Kind::any) {
      star = step++;
      star_at = at;
      continue;
    }
    if (step < steps.size() && matches_one(steps[step], name.substr(at), length)) {
      ++step;
      at += length;
      continue;
    }
    if (star == steps.size() || star_at >= name.size()) return false;
    star_at += first_character(name.substr(star_at)).length;
    at = star_at;
    step = star + 1;
  }
  return true;
}

// Follows all ways at once: bit i of `reached` is whether the components so far can be matched by the first i of the
// pattern. Where all of the pattern has matched, the rest of the path is below. Returns what is reached at the end.
std::uint64_t Glob::follow(const Alternative& alternative, std::string_view path) {
  const auto bit = [](std::size_t index) { return std::uint64_t{1} << index; };
  const std::uint64_t whole = bit(alternative.size());
  const auto skip_depths = [&](std::uint64_t reached) {
    for (std::size_t index = 0; index < alternative.size(); ++index) {
      if ((reached & bit(index)) != 0 && alternative[index].any_depth) reached |= bit(index + 1);
    }
    return reached;
  };
  std::uint64_t reached = skip_depths(1);
  while ((reached & whole) == 0 && reached != 0 && !path.empty()) {
    const std::size_t end = std::min(path.find('/'), path.size());
    const std::string_view name = path.substr(0, end);
    path.remove_prefix(std::min(end + 1, path.size()));
    std::uint64_t next = 0;
    for (std::size_t index = 0; index < alternative.size(); ++index) {
      if ((reached & bit(index)) == 0) continue;
      if (alternative[index].any_depth) {
        next |= bit(index);
      } else if (matches(alternative[index], name)) {
        next |= bit(index + 1);
      }
    }
    reached = skip_depths(next);
  }
  return reached;
}

bool Glob::covers(std::string_view path) const {
  return std::any_of(alternatives_.begin(), alternatives_.end(), [&](const Alternative& alternative) {
    return (follow(alternative, path) & (std::uint64_t{1} << alternative.size())) != 0;
  });
}

bool Glob::may_cover_below(std::string_view path) const {
  return std::any_of(alternatives_.begin(), alternatives_.end(),
                     [&](const Alternative& alternative) { return follow(alternative, path) != 0; });
}

}  // namespace lamina::filter
