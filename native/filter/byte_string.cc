#include "filter/byte_string.h"

#include <algorithm>
#include <array>

namespace lamina::filter {

namespace {

constexpr std::uint32_t escaped_byte = 0xDC00;
constexpr std::string_view hexadecimal = "0123456789abcdef";

// Stands for itself in a JSON string.
bool is_plain(char byte) { return byte >= ' ' && byte < 0x7F && byte != '"' && byte != '\\'; }

bool continues(char byte) { return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U; }

// The bytes that a sequence beginning with `lead` has, and the smallest code point that needs so many; 0 bytes if it is
// not a lead byte.
struct Form {
  std::size_t length = 0;
  std::uint32_t smallest = 0, bits = 0;
};
Form form_of(unsigned char lead) {
  if (lead < 0x80) return {1, 0, lead};
  if (lead >= 0xC2 && lead < 0xE0) return {2, 0x80, lead & 0x1FU};
  if (lead >= 0xE0 && lead < 0xF0) return {3, 0x800, lead & 0x0FU};
  if (lead >= 0xF0 && lead < 0xF5) return {4, 0x10000, lead & 0x07U};
  return {};
}

void append_escape(std::string& out, std::uint32_t code) {
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out += hexadecimal[(code >> shift) & 15U];
}

// The number after "\u" at the beginning of `json`, or nothing where there is no such escape.
std::optional<std::uint32_t> escape_at(std::string_view json) {
  constexpr std::size_t length = 6;
  if (json.size() < length || json[0] != '\\' || json[1] != 'u') return std::nullopt;
  std::uint32_t code = 0;
  for (const char digit : json.substr(2, 4)) {
    const char lower = digit >= 'A' && digit <= 'F' ? static_cast<char>(digit + ('a' - 'A')) : digit;
    const std::size_t value = hexadecimal.find(lower);
    if (value == std::string_view::npos) return std::nullopt;
    code = code * 16 + static_cast<std::uint32_t>(value);
  }
  return code;
}

}  // namespace

Character first_character(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text.front());
  const Character lone{escaped_byte + lead, 1};
  const Form form = form_of(lead);
  if (form.length == 0 || form.length > text.size()) return lone;
  std::uint32_t code = form.bits;
  for (std::size_t index = 1; index < form.length; ++index) {
    if (!continues(text[index])) return lone;
    code = (code << 6) | (static_cast<unsigned char>(text[index]) & 0x3FU);
  }
  const bool surrogate = code >= 0xD800 && code < 0xE000;
  return code < form.smallest || surrogate || code > 0x10FFFF ? lone : Character{code, form.length};
}

void append_json_string(std::string& out, std::string_view bytes) {
  out += '"';
  while (!bytes.empty()) {
    const auto special = std::find_if_not(bytes.begin(), bytes.end(), is_plain);
    out.append(bytes.begin(), special);
    bytes.remove_prefix(static_cast<std::size_t>(special - bytes.begin()));
    if (bytes.empty()) break;
    const Character character = first_character(bytes);
    const bool lone_byte = character.length == 1 && character.code >= escaped_byte;
    if (lone_byte || character.code < 0x20) {
      append_escape(out, character.code);
    } else {
      if (character.code == '"' || character.code == '\\') out += '\\';
      out += bytes.substr(0, character.length);
    }
    bytes.remove_prefix(character.length);
  }
  out += '"';
}

std::string prepare_json(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  while (!json.empty()) {
    const auto code = escape_at(json);
    std::size_t taken = 1;
    if (!code) {
      taken = json[0] == '\\' && json.size() > 1 ? 2 : 1;  // an escaped backslash begins no escape
    } else if (*code >= escaped_byte + 0x80 && *code <= escaped_byte + 0xFF) {
      append_escape(out, 0);
      append_escape(out, *code - escaped_byte);
      json.remove_prefix(6);
      continue;
    } else {
      const bool high = *code >= 0xD800 && *code < 0xDC00;
      taken = high && escape_at(json.substr(6)) ? 12 : 6;  // a pair is one character
    }
    out += json.substr(0, taken);
    json.remove_prefix(taken);
  }
  return out;
}

std::optional<std::string> from_parsed(std::string_view parsed) {
  std::string bytes;
  while (!parsed.empty()) {
    if (parsed[0] != '\0') {
      bytes += parsed[0];
      parsed.remove_prefix(1);
      continue;
    }
    parsed.remove_prefix(1);
    if (parsed.empty()) return std::nullopt;
    const Character byte = first_character(parsed);
    if (byte.code < 0x80 || byte.code > 0xFF) return std::nullopt;
    bytes += static_cast<char>(byte.code);
    parsed.remove_prefix(byte.length);
  }
  return bytes;
}

}  // namespace lamina::filter
