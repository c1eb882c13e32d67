// Byte strings in JSON (docs/format.md): UTF-8 where they are valid UTF-8; each other byte as U+DC80…U+DCFF.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lamina::filter {

// One character of a byte string: a code point, or 0xDC00 + byte for a byte outside any.
struct Character {
  std::uint32_t code = 0;
  std::size_t length = 0;  // bytes
};
// The first character of `text`, which is not empty.
Character first_character(std::string_view text);

// Appends `bytes` as a JSON string, quotes included.
void append_json_string(std::string& out, std::string_view bytes);

// JSON parsers refuse a lone surrogate. Gives the text with each escape \udc80…\udcff that stands alone as NUL and the
// byte's code point; from_parsed() turns the parsed string into the byte string.
std::string prepare_json(std::string_view json);
// Empty where the string holds a NUL of its own: no name can.
std::optional<std::string> from_parsed(std::string_view parsed);

}  // namespace lamina::filter
