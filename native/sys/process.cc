#include "sys/process.h"

#include <fcntl.h>

#include <array>
#include <charconv>
#include <cstdio>
#include <ctime>
#include <string_view>

#include "sys/data.h"
#include "sys/open.h"

namespace lamina::sys {

Result<std::string> command_name(std::int32_t pid) {
  if (pid <= 0) return Errno{ESRCH};  // the kernel tells 0 of a caller in a foreign pid namespace
  std::array<char, 32> path = {};
  (void)std::snprintf(path.data(), path.size(), "/proc/%d/comm", pid);
  LAMINA_ASSIGN(const FileDescriptor file, open_path(path.data(), O_RDONLY));
  LAMINA_ASSIGN(std::string name, read_whole(file.get(), 64));
  if (name.ends_with('\n')) name.pop_back();
  return name;
}

Result<bool> has_capability(std::int32_t pid, unsigned capability) {
  if (pid <= 0) return Errno{ESRCH};
  std::array<char, 32> path = {};
  (void)std::snprintf(path.data(), path.size(), "/proc/%d/status", pid);
  LAMINA_ASSIGN(const FileDescriptor file, open_path(path.data(), O_RDONLY));
  LAMINA_ASSIGN(const std::string status, read_whole(file.get(), 1U << 16U));
  constexpr std::string_view label = "\nCapEff:\t";
  const std::size_t at = status.find(label);
  if (at == std::string::npos) return Errno{EIO};
  std::uint64_t effective = 0;
  const char* const first = status.data() + at + label.size();
  const auto parsed = std::from_chars(first, status.data() + status.size(), effective, 16);
  if (parsed.ec != std::errc()) return Errno{EIO};
  return (effective >> capability & 1U) != 0;
}

FileTime now() {
  timespec time = {};
  (void)::clock_gettime(CLOCK_REALTIME, &time);  // cannot fail for this clock
  return {time.tv_sec, static_cast<std::uint32_t>(time.tv_nsec)};
}

}  // namespace lamina::sys
