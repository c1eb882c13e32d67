#include "daemon/statistics.h"

#include <unistd.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "daemon/version.h"

namespace lamina::daemon {

using nlohmann::json;

namespace {
// Paths are bytes: what is not UTF-8 is shown by the replacement character.
std::string dump(const json& document) { return document.dump(-1, ' ', false, json::error_handler_t::replace); }
}  // namespace

std::string ping_answer(const std::string& mountpoint, const std::string& mode) {
  return dump({{"ok", true}, {"pid", ::getpid()}, {"version", version}, {"mountpoint", mountpoint}, {"mode", mode}});
}

std::string statistics_answer(const server::Statistics& statistics, const overlay::OverlayCounters& counters) {
  json operations = json::object();
  for (const auto& [name, count] : statistics.operations) operations[name] = count;
  return dump({{"ok", true},
               {"operations", operations},
               {"messages", statistics.messages},
               {"bytesRead", statistics.bytes_read},
               {"bytesWritten", statistics.bytes_written},
               {"copyUps", counters.copy_ups},
               {"copyUpBytes", counters.copy_up_bytes},
               {"inodes", counters.inodes},
               {"cachedFiles", counters.cached_files},
               {"cachedDirectories", counters.cached_directories},
               {"cachedListings", counters.cached_listings},
               {"indexLookups", counters.index_lookups},
               {"directoryLookups", counters.directory_lookups}});
}

std::string status_answer(const sys::Status& status, const std::string& what) {
  if (status.ok()) return R"({"ok":true})";
  return dump({{"ok", false}, {"error", what + ": " + std::strerror(status.error().value)}});
}

}  // namespace lamina::daemon
