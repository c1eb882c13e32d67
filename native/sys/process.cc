#include "sys/process.h"

#include <fcntl.h>

#include <array>
#include <cstdio>
#include <ctime>

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

FileTime now() {
  timespec time = {};
  (void)::clock_gettime(CLOCK_REALTIME, &time);  // cannot fail for this clock
  return {time.tv_sec, static_cast<std::uint32_t>(time.tv_nsec)};
}

}  // namespace lamina::sys
