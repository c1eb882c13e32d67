#include "sys/processors.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <string_view>

#include "sys/data.h"
#include "sys/open.h"

namespace lamina::sys {

namespace {
constexpr int processor_field = 39;

// The name of the program, field 2, stands in parentheses and may hold anything.
std::string_view field_of(std::string_view line, int wanted) {
  const std::size_t name_end = line.rfind(')');
  if (name_end == std::string_view::npos) return {};
  line.remove_prefix(name_end + 1);
  for (int field = 3; !line.empty(); ++field) {
    line.remove_prefix(1);
    const std::size_t end = line.find(' ');
    if (field == wanted) return line.substr(0, end);
    line.remove_prefix(end == std::string_view::npos ? line.size() : end);
  }
  return {};
}
}  // namespace

Result<unsigned> processor_of(std::int32_t thread) {
  if (thread <= 0) return Errno{ESRCH};
  std::array<char, 32> path = {};
  (void)std::snprintf(path.data(), path.size(), "/proc/%d/stat", thread);
  LAMINA_ASSIGN(const FileDescriptor file, open_path(path.data(), O_RDONLY));
  std::array<char, 1024> text = {};
  const ssize_t size = ::read(file.get(), text.data(), text.size());
  if (size < 0) return Errno{errno};
  const std::string_view field = field_of({text.data(), static_cast<std::size_t>(size)}, processor_field);
  unsigned processor = 0;
  const auto parsed = std::from_chars(field.data(), field.data() + field.size(), processor);
  if (parsed.ec != std::errc()) return Errno{EIO};
  return processor;
}

Result<cpu_set_t> allowed_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return Errno{errno};
  return set;
}

Status allow_processors(const cpu_set_t& set) {
  if (::sched_setaffinity(0, sizeof set, &set) != 0) return Errno{errno};
  return {};
}

Status stay_on(unsigned processor) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(processor, &set);
  return allow_processors(set);
}

}  // namespace lamina::sys
