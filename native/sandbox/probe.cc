#include "sandbox/probe.h"

#include <csignal>
#include <string>

#include <fcntl.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/control-group.h"
#include "sandbox/id-range.h"
#include "sandbox/message.h"
#include "sandbox/mounts.h"
#include "sandbox/users.h"

namespace lamina::sandbox {
namespace {

void report(const std::string& what, const std::string& reason) {
  const std::string line = what + (reason.empty() ? " yes" : " no " + reason) + "\n";
  if (write(STDOUT_FILENO, line.data(), line.size()) < 0) fail("cannot report what this machine can do");
}

std::string why_without_users(const char* mount) {
  if (!is_machines_root()) return "root here is not root of the machine";
  const IdRange range;
  const auto child = static_cast<pid_t>(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, nullptr, nullptr, nullptr, 0));
  if (child < 0) return std::string("the kernel refuses a user namespace: ") + strerror(errno);
  if (child == 0) {
    for (;;) pause();
  }
  Taken taken;
  taken.root = clone_of(AT_FDCWD, mount, false);
  const bool mapped = give_range(child, range.first(), taken);
  (void)kill(child, SIGKILL);
  (void)waitpid(child, nullptr, 0);
  return mapped ? "" : "the kernel cannot map the owners of a FUSE mount";
}

void probe_bounds() {
  constexpr std::uint64_t many = 1'000;
  constexpr std::uint64_t memory = 1U << 30U;
  Bounds bounds;
  bounds.processes = many;
  bounds.memory = memory;
  const ControlGroup group(bounds);
  const std::string none = "cannot make a control group with this controller";
  report("processes", group.bounds_processes() ? "" : none);
  report("memory", group.bounds_memory() ? "" : none);
  report("processors", group.bounds_processors() ? "" : none);
  group.remove();
}

}  // namespace

int probe_machine(const char* mount) {
  report("users", why_without_users(mount));
  probe_bounds();
  return 0;
}

}  // namespace lamina::sandbox
