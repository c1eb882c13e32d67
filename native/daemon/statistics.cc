#include "daemon/statistics.h"

#include <unistd.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "daemon/version.h"

namespace lamina::daemon {

using control::Answer;
using nlohmann::json;

namespace {
// Paths are bytes: what is not UTF-8 is shown by the replacement character.
Answer answer(const json& document) {
  return Answer::object(document.dump(-1, ' ', false, json::error_handler_t::replace));
}
}  // namespace

Answer ping_answer(const std::string& mountpoint, const std::string& mode, const std::string& requests) {
  return answer(
      {{"pid", ::getpid()}, {"version", version}, {"mountpoint", mountpoint}, {"mode", mode}, {"requests", requests}});
}

Answer statistics_answer(const server::Statistics& statistics, const overlay::OverlayCounters& counters) {
  json operations = json::object();
  for (const auto& [name, count] : statistics.operations) operations[name] = count;
  return answer({{"operations", operations},
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

Answer status_answer(const sys::Status& status, const std::string& what) {
  return status.ok() ? Answer::done() : Answer::failure(what + ": " + std::strerror(status.error().value));
}

}  // namespace lamina::daemon
