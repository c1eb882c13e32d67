#include "filter/journal_line.h"

#include <array>
#include <cstdio>
#include <ctime>

#include "filter/byte_string.h"

namespace lamina::filter {

namespace {

void append_time(std::string& out, sys::FileTime time) {
  const time_t seconds = time.seconds;
  struct tm parts = {};
  (void)::gmtime_r(&seconds, &parts);
  std::array<char, 80> text = {};
  (void)std::snprintf(text.data(), text.size(), "%04d-%02d-%02dT%02d:%02d:%02d.%09uZ", parts.tm_year + 1900, parts.tm_mon + 1,
                      parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, time.nanoseconds);
  out += text.data();
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
