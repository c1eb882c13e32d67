#include "sys/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include "sys/data.h"
#include "sys/open.h"

namespace lamina::sys {

namespace {

Result<std::string> read_proc(std::int32_t pid, const char* name, std::size_t most) {
  if (pid <= 0) return Errno{ESRCH};  // the kernel reports 0 for a caller in a foreign pid namespace
  std::array<char, 32> path = {};
  (void)std::snprintf(path.data(), path.size(), "/proc/%d/%s", pid, name);
  LAMINA_ASSIGN(const FileDescriptor file, open_path(path.data(), O_RDONLY));
  return read_whole(file.get(), most);
}

// A number from /proc/PID/status.
template <typename Number>
Result<Number> status_field(std::int32_t pid, std::string_view label, int base) {
  LAMINA_ASSIGN(const std::string status, read_proc(pid, "status", 1U << 16U));
  const std::size_t at = status.find(label);
  if (at == std::string::npos) return Errno{EIO};
  Number number = 0;
  const char* const first = status.data() + at + label.size();
  if (std::from_chars(first, status.data() + status.size(), number, base).ec != std::errc()) return Errno{EIO};
  return number;
}

// The numbers in the line of /proc/PID/status that begins with a label.
std::vector<std::uint32_t> numbers_after(std::string_view status, std::string_view label) {
  const std::size_t at = status.find(label);
  if (at == std::string_view::npos) return {};
  const char* next = status.data() + at + label.size();
  const char* const end = status.data() + status.find('\n', at + 1);
  std::vector<std::uint32_t> numbers;
  while (next < end) {
    std::uint32_t number = 0;
    const auto [rest, code] = std::from_chars(next, end, number);
    if (code != std::errc()) break;
    numbers.push_back(number);
    next = rest + 1;
  }
  return numbers;
}

Result<bool> shares_user_namespace(std::int32_t pid) {
  std::array<char, 32> path = {};
  (void)std::snprintf(path.data(), path.size(), "/proc/%d/ns/user", pid);
  struct stat theirs = {};
  struct stat ours = {};
  if (::stat(path.data(), &theirs) != 0 || ::stat("/proc/self/ns/user", &ours) != 0) return last_error();
  return theirs.st_dev == ours.st_dev && theirs.st_ino == ours.st_ino;
}

// Costs a tenth of reading the status. False also where it is unknown.
bool leads_a_process(std::int32_t thread) {
  return FileDescriptor(static_cast<int>(::syscall(SYS_pidfd_open, thread, 0))).valid();
}

}  // namespace

Result<Process> process_of(std::int32_t thread) {
  Process process{thread, {}};
  if (!leads_a_process(thread)) {
    LAMINA_ASSIGN(process.pid, status_field<std::int32_t>(thread, "\nTgid:\t", 10));
  }
  LAMINA_ASSIGN(process.command, read_proc(process.pid, "comm", 64));
  if (process.command.ends_with('\n')) process.command.pop_back();
  return process;
}

Result<Process> RecentProcesses::process_of(std::int32_t thread) {
  Known& known = known_[static_cast<std::uint32_t>(thread) % known_.size()];
  if (known.pid == thread) {
    std::array<char, 64> text = {};
    const auto size = read_at(known.command.get(), std::as_writable_bytes(std::span(text)), 0);
    if (size && *size > 0) return Process{thread, std::string(text.data(), *size - 1)};  // ends with a newline
    known = {};
  }
  LAMINA_ASSIGN(Process process, sys::process_of(thread));
  // The number of another thread may become that of a thread of another process while this one lives.
  if (process.pid != thread) return process;
  std::array<char, 32> path = {};
  (void)std::snprintf(path.data(), path.size(), "/proc/%d/comm", thread);
  if (auto command = open_path(path.data(), O_RDONLY)) known = {thread, std::move(*command)};
  return process;
}

Result<std::vector<std::uint32_t>> groups_of(std::int32_t pid) {
  LAMINA_ASSIGN(const std::string status, read_proc(pid, "status", std::size_t{1} << 20U));  // 65,536 groups at most
  // Real, effective, saved, and for files.
  const std::vector<std::uint32_t> own = numbers_after(status, "\nGid:\t");
  if (own.size() != 4) return Errno{EIO};
  std::vector<std::uint32_t> groups = numbers_after(status, "\nGroups:\t");
  groups.push_back(own.back());
  return groups;
}

Result<bool> has_capability_here(std::int32_t pid, unsigned capability) {
  LAMINA_ASSIGN(const auto effective, status_field<std::uint64_t>(pid, "\nCapEff:\t", 16));
  if ((effective >> capability & 1U) == 0) return false;
  return shares_user_namespace(pid);
}

namespace {

// Sets or clears an effective capability of the calling thread; returns the old state (capset(2)).
Result<bool> put_in_effect(unsigned capability, bool wanted) {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets = {};
  if (::syscall(SYS_capget, &header, sets.data()) != 0) return last_error();
  std::uint32_t& effective = sets[CAP_TO_INDEX(capability)].effective;
  const std::uint32_t bit = CAP_TO_MASK(capability);
  const bool was = (effective & bit) != 0;
  if (was == wanted) return was;
  effective = wanted ? effective | bit : effective & ~bit;
  if (::syscall(SYS_capset, &header, sets.data()) != 0) return last_error();
  return was;
}

}  // namespace

WithoutCapability::WithoutCapability(unsigned capability) : capability_(capability) {
  const auto was = put_in_effect(capability, false);
  taken_ = was.ok() && *was;
  if (!was.ok()) status_ = was.error();
}

WithoutCapability::~WithoutCapability() {
  // It is permitted still, so this cannot fail.
  if (taken_) static_cast<void>(put_in_effect(capability_, true));
}

FileTime now() {
  timespec time = {};
  (void)::clock_gettime(CLOCK_REALTIME, &time);  // cannot fail for this clock
  return {time.tv_sec, static_cast<std::uint32_t>(time.tv_nsec)};
}

Result<pid_t> fork_sharing_descriptors() {
  const long child =
      ::syscall(SYS_clone, static_cast<unsigned long>(CLONE_FILES | SIGCHLD), nullptr, nullptr, nullptr, 0UL);
  if (child < 0) return last_error();
  return static_cast<pid_t>(child);
}

Result<std::vector<int>> open_descriptors() {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir("/proc/self/fd"), &::closedir);
  if (!directory) return last_error();
  std::vector<int> found;
  while (const dirent* each = ::readdir(directory.get())) {
    const int number = std::atoi(each->d_name);
    if (each->d_name[0] != '.' && number != ::dirfd(directory.get())) found.push_back(number);
  }
  return found;
}

Status close_descriptors_but(const std::vector<int>& kept) {
  LAMINA_ASSIGN(const std::vector<int> open, open_descriptors());
  for (const int each : open) {
    if (std::find(kept.begin(), kept.end(), each) == kept.end()) ::close(each);
  }
  return {};
}

}  // namespace lamina::sys
