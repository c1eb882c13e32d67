#include "sys/processors.h"

#include <fcntl.h>
#include <sched.h>

#include <charconv>
#include <string>

#include "sys/data.h"
#include "sys/open.h"

namespace lamina::sys {

Result<unsigned> possible_processors() {
  LAMINA_ASSIGN(const FileDescriptor file, open_path("/sys/devices/system/cpu/possible", O_RDONLY));
  LAMINA_ASSIGN(const std::string list, read_whole(file.get(), 4096));  // such as 0-3,8-11
  const std::size_t last = list.find_last_of(",-");
  const char* const start = list.data() + (last == std::string::npos ? 0 : last + 1);
  unsigned highest = 0;
  if (std::from_chars(start, list.data() + list.size(), highest).ec != std::errc()) return Errno{EIO};
  return highest + 1;
}

std::vector<unsigned> usable_processors() {
  std::vector<unsigned> usable;
  cpu_set_t set;
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return usable;
  for (unsigned processor = 0; processor < CPU_SETSIZE; ++processor) {
    if (CPU_ISSET(processor, &set)) usable.push_back(processor);
  }
  return usable;
}

void prefer_processor(unsigned processor) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(processor, &set);
  static_cast<void>(::sched_setaffinity(0, sizeof set, &set));  // EINVAL: it is offline, or not allowed for us
}

}  // namespace lamina::sys
