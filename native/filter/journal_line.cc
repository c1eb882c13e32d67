#include "filter/journal_line.h"

#include <array>
#include <cstdio>
#include <ctime>

#include "filter/byte_string.h"

namespace lamina::filter {

namespace {

std::string text_of_second(time_t second) {
  struct tm parts = {};
  (void)::gmtime_r(&second, &parts);
  std::array<char, 80> text = {};
  (void)std::snprintf(text.data(), text.size(), "%04d-%02d-%02dT%02d:%02d:%02d", parts.tm_year + 1900, parts.tm_mon + 1,
                      parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
  return text.data();
}

void append_time(std::string& out, sys::FileTime time) {
  // Formatting a second takes longer than all else in a line, and a second has many lines.
  thread_local time_t known = 0;
  thread_local std::string text = text_of_second(known);
  if (time.seconds != known) {
    known = time.seconds;
    text = text_of_second(known);
  }
  const std::string fraction = std::to_string(time.nanoseconds);
  constexpr std::size_t digits = 9;
  out.append(text).append(1, '.').append(digits - fraction.size(), '0').append(fraction).append(1, 'Z');
}

void append_path(std::string& out, std::string_view path) { append_json_string(out, "/" + std::string(path)); }

}  // namespace

std::string line_start(std::uint64_t number) { return "{\"n\":" + std::to_string(number); }

std::string line_rest(const Change& change, const sys::Process& process, sys::FileTime time) {
  const OperationFormat& format = format_of(change.operation);
  std::string out = ",\"time\":\"";
  append_time(out, time);
  out += "\",\"pid\":" + std::to_string(process.pid) + ",\"uid\":" + std::to_string(change.uid) +
         ",\"gid\":" + std::to_string(change.gid) + ",\"command\":";
  append_json_string(out, process.command);
  out += ",\"operation\":";
  append_json_string(out, format.name);
  out += ",\"path\":";
  append_path(out, change.path);
  if (format.second != Second::none) out += ",\"to\":";
  if (format.second == Second::path) append_path(out, change.second);
  if (format.second == Second::text) append_json_string(out, change.second);
  return out + "}\n";
}

}  // namespace lamina::filter
