// Lists and paths in options: a backslash escapes the next character.
#pragma once

#include <string>
#include <string_view>
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

inline std::string unescaped(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) ++i;
    plain += text[i];
  }
  return plain;
}

}  // namespace lamina::daemon
