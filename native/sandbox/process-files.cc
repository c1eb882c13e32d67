#include "sandbox/process-files.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>

#include "sandbox/message.h"
#include "sandbox/mounts.h"

namespace lamina::sandbox {
namespace {

// They expose the machine, its memory and its keys. The list of container engines.
constexpr const char* hidden[] = {"acpi",        "asound",      "interrupts", "kcore",      "keys",
                                  "kmsg",        "kpagecgroup", "kpagecount", "kpageflags", "latency_stats",
                                  "sched_debug", "scsi",        "timer_list", "timer_stats"};
// Settings of the kernel.
constexpr const char* read_only[] = {"bus", "driver", "fs", "irq", "sys", "sysrq-trigger"};
// The kernel's minimum (RESERVED_PIDS), with which a small sandbox can be made.
constexpr std::uint64_t least_processes = 301;

// Since Linux 6.14 the setting is per PID namespace; before, it is the machine's.
bool has_own_numbers() {
  utsname system = {};
  unsigned major = 0;
  unsigned minor = 0;
  if (uname(&system) != 0 || sscanf(system.release, "%u.%u", &major, &minor) != 2) return false;
  constexpr unsigned since_major = 6;
  constexpr unsigned since_minor = 14;
  return major > since_major || (major == since_major && minor >= since_minor);
}

void limit_numbers(int files, std::uint64_t processes) {
  if (processes == 0 || !has_own_numbers()) return;
  const int setting = open_beneath(files, "sys/kernel/pid_max", O_WRONLY);
  if (setting < 0) return;
  const std::string most = std::to_string(std::max(processes, least_processes));
  [[maybe_unused]] const auto written = write(setting, most.data(), most.size());
  close(setting);
}

void hide(int files, const char* name, int empty_file) {
  const int place = open_beneath(files, name, O_PATH | O_NOFOLLOW);
  if (place < 0) return;  // this kernel has none
  struct stat status = {};
  if (fstat(place, &status) != 0) fail(std::string("cannot look at /proc/") + name);
  constexpr std::uint64_t attributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
  const int empty =
      S_ISDIR(status.st_mode) ? new_mount("tmpfs", {{"size", "4k"}, {"mode", "0755"}}, attributes) : empty_file;
  attach(empty, place, name);
  if (empty != empty_file) close(empty);
  close(place);
}

void protect(int files, const char* name) {
  const int place = open_beneath(files, name, O_PATH | O_NOFOLLOW);
  if (place < 0) return;  // this kernel has none
  const int mount = clone_of(files, name, false);
  set_attributes(mount, MOUNT_ATTR_RDONLY, false, name);
  attach(mount, place, name);
  close(mount);
  close(place);
}

}  // namespace

std::size_t most_hidden() { return sizeof hidden / sizeof *hidden; }

int new_process_files() { return new_mount("proc", {}, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC); }

void mount_process_files(int files, int place, const std::vector<int>& empty_files, std::uint64_t processes,
                         bool own_users) {
  attach(files, place, "/proc");
  limit_numbers(files, processes);
  for (std::size_t i = 0; i < most_hidden(); ++i) hide(files, hidden[i], empty_files[i]);
  if (own_users) {
    for (const char* name : read_only) protect(files, name);
  } else {
    set_attributes(files, MOUNT_ATTR_RDONLY, false, "/proc");
  }
}

}  // namespace lamina::sandbox
