// Lists and paths in options: a backslash escapes the next character.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lamina::daemon {

enum class Escapes { keep, resolve };

// Splits at each `separator` that is not escaped. Empty items stay.
inline std::vector<std::string> split(std::string_view text, char separator, Escapes escapes) {
  std::vector<std::string> items(1);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) {
      if (escapes == Escapes::keep) items.back() += '\\';
      items.back() += text[++i];
    } else if (text[i] == separator) {
      items.emplace_back();
    } else {
      items.back() += text[i];
    }
  }
  return items;
}

// Splits an option list at each comma that is neither escaped nor within the quotes of a security context, such as
// context="system_u:object_r:container_file_t:s0:c1,c2".
inline std::vector<std::string> split_options(std::string_view text) {
  std::vector<std::string> options;
  bool quoted = false;
  for (std::string& item : split(text, ',', Escapes::keep)) {
    if (quoted) {
      quoted = !item.ends_with('"');
      options.back() += ',' + item;
      continue;
    }
    const std::size_t value = item.find("=\"");
    const bool context = value != std::string::npos && std::string_view(item).substr(0, value).ends_with("context");
    quoted = context && (item.size() == value + 2 || !item.ends_with('"'));
    options.push_back(std::move(item));
  }
  return options;
}

inline std::string unescaped(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) ++i;
    plain += text[i];
  }
  return plain;
}

}  // namespace lamina::daemon
