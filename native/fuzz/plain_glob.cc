#include "fuzz/plain_glob.h"

#include "filter/byte_string.h"

namespace lamina::fuzz {

namespace {

using filter::first_character;

// The bytes of the escaped character, the set or the one byte that begins at `at`.
std::size_t unit(std::string_view text, std::size_t at) {
  if (text[at] == '\\') return at + 1 < text.size() ? 2 : 1;
  if (text[at] != '[') return 1;
  std::size_t end = at + 1;
  if (end < text.size() && (text[end] == '!' || text[end] == '^')) ++end;
  if (end < text.size() && text[end] == ']') ++end;
  while (end < text.size() && text[end] != ']') end += text[end] == '\\' ? 2 : 1;
  return end < text.size() ? end + 1 - at : 1;
}

void expand(const std::string& text, std::vector<std::string>& out) {
  for (std::size_t open = 0; open < text.size(); open += unit(text, open)) {
    if (text[open] != '{') continue;
    int depth = 0;
    std::size_t begin = open + 1;
    std::vector<std::string> parts;
    for (std::size_t at = open; at < text.size(); at += unit(text, at)) {
      depth += text[at] == '{' ? 1 : text[at] == '}' ? -1 : 0;
      const bool ends = depth == 0;
      if (ends || (depth == 1 && text[at] == ',')) {
        parts.push_back(text.substr(begin, at - begin));
        begin = at + 1;
      }
      if (ends) break;
    }
    for (const std::string& part : parts) expand(text.substr(0, open) + part + text.substr(begin), out);
    return;
  }
  out.push_back(text);
}

std::vector<std::string> split(std::string_view text, bool is_pattern) {
  std::vector<std::string> parts(1);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = is_pattern ? unit(text, at) : 1;
    if (text[at] == '/') parts.emplace_back();
    if (text[at] != '/') parts.back() += text.substr(at, length);
    at += length;
  }
  std::erase(parts, "");
  return parts;
}

std::uint32_t take_member(std::string_view& members) {
  if (members[0] == '\\' && members.size() > 1) members.remove_prefix(1);
  const auto character = first_character(members);
  members.remove_prefix(character.length);
  return character.code;
}

bool in_set(std::string_view members, std::uint32_t code) {
  const bool negated = members[0] == '!' || members[0] == '^';
  if (negated) members.remove_prefix(1);
  bool found = false;
  while (!members.empty()) {
    const std::uint32_t first = take_member(members);
    std::uint32_t last = first;
    if (members.size() > 1 && members[0] == '-') {
      members.remove_prefix(1);
      last = take_member(members);
    }
    found = found || (code >= first && code <= last);
  }
  return found != negated;
}

class Name {
 public:
  Name(std::string_view pattern, std::string_view name)
      : pattern_(pattern), name_(name), failed_((pattern.size() + 1) * (name.size() + 1)) {}

  bool matches(std::size_t from = 0, std::size_t at = 0) {
    if (from == pattern_.size()) return at == name_.size();
    const std::size_t place = from * (name_.size() + 1) + at;
    if (failed_[place]) return false;
    const bool matched = step(from, at);
    failed_[place] = !matched;
    return matched;
  }

 private:
  bool step(std::size_t from, std::size_t at) {
    const std::size_t length = unit(pattern_, from);
    const std::string_view text = pattern_.substr(from, length);
    const auto character = at < name_.size() ? first_character(name_.substr(at)) : filter::Character{};
    if (text == "*") return matches(from + 1, at) || (at < name_.size() && matches(from, at + character.length));
    if (at == name_.size()) return false;
    if (text == "?") return matches(from + 1, at + character.length);
    if (text[0] == '[')
      return in_set(text.substr(1, length - 2), character.code) && matches(from + length, at + character.length);
    return text.back() == name_[at] && matches(from + length, at + 1);
  }

  std::string_view pattern_, name_;
  std::vector<bool> failed_;
};

bool covers_from(const std::vector<std::string>& pattern, std::size_t from, const std::vector<std::string>& path,
                 std::size_t at) {
  if (from == pattern.size()) return true;
  if (pattern[from] == "**") {
    return covers_from(pattern, from + 1, path, at) || (at < path.size() && covers_from(pattern, from, path, at + 1));
  }
  return at < path.size() && Name(pattern[from], path[at]).matches() && covers_from(pattern, from + 1, path, at + 1);
}

}  // namespace

PlainGlob::PlainGlob(const std::string& pattern) {
  std::vector<std::string> texts;
  expand(pattern, texts);
  for (const std::string& text : texts) alternatives_.push_back(split(text, true));
}

bool PlainGlob::covers(std::string_view path) const {
  const std::vector<std::string> names = split(path, false);
  for (const auto& alternative : alternatives_) {
    if (covers_from(alternative, 0, names, 0)) return true;
  }
  return false;
}

}  // namespace lamina::fuzz
