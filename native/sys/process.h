// Information on processes from /proc, and the time.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "sys/file_descriptor.h"
#include "sys/result.h"
#include "sys/status.h"

namespace lamina::sys {

struct Process {
  std::int32_t pid = 0;
  std::string command;  // proc(5), /proc/PID/comm: at most 15 bytes, of any value
};
// The process of a thread, because a caller may be identified by its thread's number, and threads have names of their
// own. ENOENT, ESRCH where it has ended.
Result<Process> process_of(std::int32_t thread);
// Answers as process_of, with one system call where a process asks again: it keeps /proc/PID/comm open, which fails
// with ESRCH once the process has ended, whoever has its number then. One thread uses it.
class RecentProcesses {
 public:
  Result<Process> process_of(std::int32_t thread);

 private:
  struct Known {
    std::int32_t pid = 0;
    FileDescriptor command;
  };
  std::array<Known, 8> known_;
};
// Whether the process has a capability in effect (/proc/PID/status, CapEff) in our user namespace: those that it has in
// another one do not count here. ENOENT, ESRCH where it has ended; EACCES where its user namespace is not readable.
Result<bool> has_capability_here(std::int32_t pid, unsigned capability);
// The group of its new files, and its supplementary groups, as numbered in our user namespace (/proc/PID/status, Gid,
// Groups). ENOENT, ESRCH where it has ended.
Result<std::vector<std::uint32_t>> groups_of(std::int32_t pid);
// Clears an effective capability of this thread alone while it lives. Does nothing where it was not in effect.
class WithoutCapability {
 public:
  explicit WithoutCapability(unsigned capability);
  WithoutCapability(const WithoutCapability&) = delete;
  WithoutCapability& operator=(const WithoutCapability&) = delete;
  ~WithoutCapability();
  // Why it could not be cleared; then do nothing that must not be done with it.
  [[nodiscard]] const Status& status() const { return status_; }

 private:
  unsigned capability_;
  bool taken_ = false;
  Status status_;
};
// The time of day (clock_gettime(2), CLOCK_REALTIME).
FileTime now();

// fork(2), but the child has the same table of descriptors, not a copy: what it opens stays open when it is killed, and
// what it closes is closed for the parent too (clone(2): CLONE_FILES). The process must have one thread. The child must
// not rely on the thread id that the C library keeps of its first thread, and ends by _exit(2).
Result<pid_t> fork_sharing_descriptors();
// The open descriptors, without the one used to list them.
Result<std::vector<int>> open_descriptors();
// Closes all others.
Status close_descriptors_but(const std::vector<int>& kept);

}  // namespace lamina::sys
