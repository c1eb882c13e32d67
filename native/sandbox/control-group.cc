#include "sandbox/control-group.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "sandbox/message.h"
#include "sandbox/text-file.h"

namespace lamina::sandbox {
namespace {

constexpr char prefix[] = "lamina-";
constexpr std::uint64_t period = 100'000;
constexpr std::uint64_t thousandths = 1000;
// When processors are scarce, the host comes first. The kernel gives every other group twice the weight.
constexpr char less_than_others_v1[] = "512";
constexpr char less_than_others_v2[] = "50";

bool write_text(const std::string& path, const std::string& text) {
  const int file = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (file < 0) return false;
  const bool done = write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const int error = errno;
  close(file);
  errno = error;
  return done;
}

// A group left by a killed sandbox: its name has the process ID of its maker, which is gone.
void clear_away(const std::string& directory) {
  DIR* listing = opendir(directory.c_str());
  if (listing == nullptr) return;
  constexpr std::size_t length = sizeof prefix - 1;
  while (const dirent* entry = readdir(listing)) {
    if (strncmp(entry->d_name, prefix, length) != 0) continue;
    const auto maker = static_cast<pid_t>(strtol(entry->d_name + length, nullptr, 10));
    if (maker > 0 && kill(maker, 0) != 0 && errno == ESRCH) (void)rmdir((directory + "/" + entry->d_name).c_str());
  }
  closedir(listing);
}

bool bound_processes(const std::string& group, std::uint64_t most) {
  return write_text(group + "/pids.max", std::to_string(most));
}

bool bound_memory(const std::string& group, bool unified, std::uint64_t most) {
  const std::string bytes = std::to_string(most);
  if (unified) {
    if (!write_text(group + "/memory.max", bytes)) return false;
    // Where the kernel accounts for swap, allow none in addition; out of memory, the whole group is killed.
    (void)write_text(group + "/memory.swap.max", "0");
    (void)write_text(group + "/memory.oom.group", "1");
    return true;
  }
  if (!write_text(group + "/memory.limit_in_bytes", bytes)) return false;
  (void)write_text(group + "/memory.memsw.limit_in_bytes", bytes);
  return true;
}

// @param most in thousandths; 0: all
bool bound_processors(const std::string& group, bool unified, std::uint64_t most) {
  const std::string time = std::to_string(most * period / thousandths);
  if (unified) {
    if (!write_text(group + "/cpu.weight", less_than_others_v2)) return false;
    return most == 0 || write_text(group + "/cpu.max", time + " " + std::to_string(period));
  }
  if (!write_text(group + "/cpu.shares", less_than_others_v1)) return false;
  if (most == 0) return true;
  return write_text(group + "/cpu.cfs_period_us", std::to_string(period)) &&
         write_text(group + "/cpu.cfs_quota_us", time);
}

void refuse(const char* option) {
  fail(std::string("cannot enforce ") + option +
           ": no control group with its controller can be made; leave the option out, or run as root with the control "
           "group hierarchy mounted below /sys/fs/cgroup",
       EOPNOTSUPP);
}

}  // namespace

ControlGroup::ControlGroup(const Bounds& bounds) {
  for (const Hierarchy& hierarchy : hierarchies(text_of("/proc/self/mountinfo"), text_of("/proc/self/cgroup")))
    make_in(hierarchy, bounds);
  const bool lacks_processes = bounds.processes_asked && !bounds_processes_;
  const bool lacks_memory = bounds.memory_asked && !bounds_memory_;
  const bool lacks_processors = bounds.processors_asked && !bounds_processors_;
  if (!lacks_processes && !lacks_memory && !lacks_processors) return;
  remove();
  refuse(lacks_processes ? "--pids" : lacks_memory ? "--memory" : "--cpus");
}

void ControlGroup::make_in(const Hierarchy& hierarchy, const Bounds& bounds) {
  clear_away(hierarchy.directory);
  const std::string group = hierarchy.directory + "/" + prefix + std::to_string(getpid());
  // A group with our process ID can only be left by a dead process.
  if (mkdir(group.c_str(), 0755) != 0 && errno != EEXIST) return;
  groups_.push_back({group, hierarchy.unified});
  for (const Controller controller : hierarchy.controllers) {
    if (controller == Controller::processes && bounds.processes != 0)
      bounds_processes_ = bound_processes(group, bounds.processes) || bounds_processes_;
    if (controller == Controller::memory && bounds.memory != 0)
      bounds_memory_ = bound_memory(group, hierarchy.unified, bounds.memory) || bounds_memory_;
    if (controller == Controller::processors)
      bounds_processors_ = bound_processors(group, hierarchy.unified, bounds.processors) || bounds_processors_;
  }
}

void ControlGroup::add(pid_t process) const {
  for (const Group& group : groups_)
    if (!write_text(group.directory + "/cgroup.procs", std::to_string(process)))
      fail("cannot put the sandbox into " + group.directory);
}

bool ControlGroup::ran_out_of_memory() const {
  constexpr char counter[] = "oom_kill ";
  for (const Group& group : groups_) {
    const std::string text = text_of(group.directory + (group.unified ? "/memory.events" : "/memory.oom_control"));
    const auto at = text.find(std::string("\n") + counter);
    if (at != std::string::npos && strtoul(text.c_str() + at + sizeof counter, nullptr, 10) > 0) return true;
  }
  return false;
}

void ControlGroup::remove() const {
  for (const Group& group : groups_) {
    // Fails while the kernel still removes a process from it: the next sandbox then clears it away.
    (void)rmdir(group.directory.c_str());
  }
}

}  // namespace lamina::sandbox
