#include "sandbox/maker.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <optional>

#include "sandbox/control-group.h"
#include "sandbox/first.h"
#include "sandbox/message.h"
#include "sandbox/mounts.h"
#include "sandbox/privileges.h"
#include "sandbox/terminal.h"
#include "sandbox/users.h"

namespace lamina::sandbox {
namespace {

// Comes when `lamina` has ended.
int end_signal() { return SIGRTMIN; }

void end_with_caller() {
  const pid_t caller = getppid();
  if (prctl(PR_SET_PDEATHSIG, end_signal(), 0, 0, 0) != 0) fail("cannot tie the sandbox to its caller");
  if (getppid() != caller) _exit(own_failure);
}

// What no control group bounds, as far as each process by itself can be bounded.
void bound_without_group(Spec& spec, const ControlGroup& group, bool own_users) {
  if (!group.bounds_memory() && spec.bounds.memory != 0)
    spec.limits.push_back({RLIMIT_DATA, spec.bounds.memory, spec.bounds.memory});
  // Counted for each user namespace; of the machine's root there is no such limit.
  if (!group.bounds_processes() && own_users && spec.bounds.processes != 0)
    spec.limits.push_back({RLIMIT_NPROC, spec.bounds.processes, spec.bounds.processes});
  // Else the process namespace bounds them, by their numbers.
  if (group.bounds_processes()) spec.bounds.processes = 0;
}

int namespaces(const Spec& spec, bool own_users) {
  return CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | (spec.host_network ? 0 : CLONE_NEWNET) |
         (own_users ? CLONE_NEWUSER : 0);
}

struct Channels {
  int go_read = -1;
  int go_write = -1;
  int terminal_here = -1;
  int terminal_there = -1;
};

Channels make_channels(bool terminal) {
  int go[2] = {};
  if (pipe2(go, O_CLOEXEC) != 0) fail("cannot make a pipe");
  Channels channels = {go[0], go[1], -1, -1};
  int ends[2] = {};
  if (!terminal) return channels;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) fail("cannot make a socket");
  channels.terminal_here = ends[0];
  channels.terminal_there = ends[1];
  return channels;
}

void let_go(int go) {
  // It may have ended: then its end says why.
  [[maybe_unused]] const auto written = write(go, "", 1);
}

void report(int information, pid_t first) {
  const std::string text = "{\"child-pid\": " + std::to_string(first) + "}";
  if (pwrite(information, text.data(), text.size(), 0) < 0) fail("cannot report the number of the first process");
}

int wait_for_end(pid_t first, Relay& relay, bool interactive) {
  sigset_t all;
  sigfillset(&all);
  const int signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
  if (signals < 0) fail("cannot wait for signals");
  for (;;) {
    int status = 0;
    if (waitpid(first, &status, WNOHANG) == first)
      return WIFSIGNALED(status) ? signal_base + WTERMSIG(status) : WEXITSTATUS(status);
    pollfd waits[4] = {};
    std::size_t count = 0;
    relay.add_to(waits, count);
    waits[count] = {signals, POLLIN, 0};
    if (poll(waits, static_cast<nfds_t>(count + 1), relay.patience()) <= 0) continue;
    relay.go_on(waits, count);
    signalfd_siginfo signal = {};
    while (read(signals, &signal, sizeof signal) == sizeof signal) {
      const auto number = static_cast<int>(signal.ssi_signo);
      if (number == SIGWINCH) relay.resize();
      // Signals for a person's command are given to it by `lamina`; a terminal sends them to us as well.
      if (number == end_signal() || (!interactive && number == SIGTERM)) (void)kill(first, SIGKILL);
    }
  }
}

int exit_code(int code, const ControlGroup& group, const Relay& relay) {
  if (group.ran_out_of_memory()) {
    say("the sandbox has used up the memory that it may have, and the kernel has ended what ran in it (--memory of lamina run)");
    return code == 0 ? signal_base + SIGKILL : code;
  }
  return code == 0 && relay.has_lost_output() ? output_lost : code;
}

}  // namespace

int make_sandbox(const Descriptors& descriptors, char* const* arguments) {
  end_with_caller();
  Spec spec = read_spec(descriptors.setup);
  const std::string filter = read_filter(descriptors.filter);
  const bool as_root = geteuid() == 0;
  const bool own_users = !as_root;
  const ControlGroup group(spec.bounds);
  bound_without_group(spec, group, own_users);
  Relay relay(spec);
  const Channels channels = make_channels(spec.terminal);
  const int host_mounts = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
  if (host_mounts < 0) fail("cannot open /proc/self/ns/mnt");
  std::optional<Taken> taken;
  if (as_root) {
    if (unshare(CLONE_NEWNS) != 0) fail("cannot make a mount namespace");
    taken = take(spec, is_machines_root());
  }
  const auto first = static_cast<pid_t>(syscall(SYS_clone, namespaces(spec, own_users) | SIGCHLD, nullptr, nullptr, nullptr, 0));
  if (first < 0) fail("cannot make the namespaces of a sandbox");
  if (first == 0) {
    close(channels.go_write);
    be_first({spec, filter, taken ? &*taken : nullptr, relay.ends(), channels.go_read, channels.terminal_there,
              descriptors.status, own_users, arguments});
  }
  // Mounts that the host takes away meanwhile must not be kept by us.
  if (as_root && setns(host_mounts, CLONE_NEWNS) != 0) fail("cannot leave the mount namespace");
  relay.close_ends();
  close(channels.go_read);
  report(descriptors.information, first);
  if (own_users) give_users(first);
  let_go(channels.go_write);
  group.add(first);
  let_go(channels.go_write);
  if (spec.terminal) {
    close(channels.terminal_there);
    int master = -1;
    int other = -1;
    if (receive_terminal(channels.terminal_here, master, other)) relay.begin_terminal(master, other);
  }
  const int code = wait_for_end(first, relay, spec.input);
  relay.finish();
  const int given = exit_code(code, group, relay);
  group.remove();
  return given;
}

}  // namespace lamina::sandbox
