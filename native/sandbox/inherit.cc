#include "sandbox/inherit.h"

#include <fcntl.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string>

#include "sandbox/message.h"

namespace lamina::sandbox {
namespace {

constexpr mode_t common_umask = 022;

// Only root may exceed the caller's hard limit: an ordinary user's stays.
void set_limit(pid_t process, const Limit& wanted) {
  const auto resource = static_cast<__rlimit_resource>(wanted.resource);
  rlimit limit = {wanted.soft, wanted.hard};
  if (prlimit(process, resource, &limit, nullptr) == 0) return;
  rlimit present = {};
  if (errno != EPERM || prlimit(process, resource, nullptr, &present) != 0) fail("cannot set a limit of processes");
  limit.rlim_max = std::min(limit.rlim_max, present.rlim_max);
  limit.rlim_cur = std::min(limit.rlim_cur, limit.rlim_max);
  if (prlimit(process, resource, &limit, nullptr) != 0) fail("cannot set a limit of processes");
}

// A new one: a sandbox must not have the keys of the caller's session. A kernel may lack key support.
void leave_keys() {
  if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr) < 0 && errno != ENOSYS)
    fail("cannot leave the session's keys");
}

}  // namespace

void be_ended_like_others() {
  constexpr char path[] = "/proc/self/oom_score_adj";
  const int file = open(path, O_RDWR | O_CLOEXEC);
  char text[16] = {};
  if (file < 0 || pread(file, text, sizeof text - 1, 0) < 0) fail(std::string("cannot read ") + path);
  if (atoi(text) < 0 && write(file, "0", 1) < 0) fail(std::string("cannot write ") + path);
  close(file);
}

void leave_real_time() {
  const int policy = sched_getscheduler(0);
  if (policy < 0) fail("cannot look at the scheduling policy");
  if (policy == SCHED_OTHER || policy == SCHED_BATCH || policy == SCHED_IDLE) return;
  const sched_param parameters = {};
  if (sched_setscheduler(0, SCHED_OTHER, &parameters) != 0) fail("cannot set the scheduling policy");
}

void set_limits(pid_t process, const Spec& spec) {
  for (const Limit& limit : spec.limits) set_limit(process, limit);
}

void set_inherited(const Spec& spec) {
  constexpr pid_t itself = 0;
  set_limits(itself, spec);
  if (personality(PER_LINUX) < 0) fail("cannot set the personality");
  leave_keys();
  umask(common_umask);
  clearenv();
  for (const std::string& variable : spec.environment) {
    const auto end = variable.find('=');
    if (end == std::string::npos) fail("the environment has '" + variable + "' without a value", EINVAL);
    setenv(variable.substr(0, end).c_str(), variable.substr(end + 1).c_str(), 1);
  }
}

}  // namespace lamina::sandbox
