#include "addon/globs.h"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <mutex>
#include <vector>

#include "filter/glob.h"

namespace lamina::addon {

namespace {

// All alternatives of all patterns, and their bytes: each is tried on each path.
constexpr std::size_t most_alternatives = 16384;
constexpr std::size_t most_bytes = std::size_t{1} << 20U;

std::vector<std::string_view> parts_of(std::string_view list) {
  std::vector<std::string_view> parts;
  while (!list.empty()) {
    const std::size_t end = std::min(list.find('\0'), list.size());
    parts.push_back(list.substr(0, end));
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return parts;
}

using Globs = std::vector<filter::Glob>;

sys::Result<Globs> compile(std::string_view patterns, std::string& fault) {
  Globs globs;
  std::size_t alternatives = 0;
  std::size_t bytes = 0;
  for (const std::string_view pattern : parts_of(patterns)) {
    LAMINA_ASSIGN(filter::Glob glob, filter::Glob::compile(pattern, fault));
    alternatives += glob.alternatives();
    if (alternatives > most_alternatives) {
      fault =
          "the patterns have too many alternatives together; the limit 'alternatives of all globs' is 16,384 "
          "alternatives";
      return sys::Errno{EINVAL};
    }
    bytes += glob.bytes();
    if (bytes > most_bytes) {
      fault = "the patterns and their alternatives are too long in total; the limit 'bytes of all globs' is 1 MiB";
      return sys::Errno{EINVAL};
    }
    globs.push_back(std::move(glob));
  }
  return globs;
}

// The same patterns are used call after call: those of the last call are cached.
sys::Result<std::shared_ptr<const Globs>> compiled(std::string_view patterns) {
  static std::mutex mutex;
  static std::string last_patterns;
  static std::shared_ptr<const Globs> last;
  const std::lock_guard<std::mutex> lock(mutex);
  if (last && last_patterns == patterns) return last;
  std::string fault;
  LAMINA_ASSIGN(Globs globs, compile(patterns, fault));
  last = std::make_shared<const Globs>(std::move(globs));
  last_patterns = patterns;
  return last;
}

}  // namespace

std::string glob_fault(std::string_view patterns) {
  std::string fault;
  return compile(patterns, fault).ok() ? std::string() : fault;
}

sys::Result<std::string> match_globs(std::string_view patterns, std::string_view paths) {
  LAMINA_ASSIGN(const auto globs, compiled(patterns));
  std::string answers;
  for (const std::string_view path : parts_of(paths)) {
    const bool covered =
        std::any_of(globs->begin(), globs->end(), [&](const filter::Glob& glob) { return glob.covers(path); });
    answers += covered ? '\1' : '\0';
  }
  return answers;
}

}  // namespace lamina::addon
