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
#include "sandbox/devices.h"
#include "sandbox/first.h"
#include "sandbox/id-range.h"
#include "sandbox/inherit.h"
#include "sandbox/message.h"
#include "sandbox/mounts.h"
#include "sandbox/pipes.h"
#include "sandbox/privileges.h"
#include "sandbox/terminal.h"
#include "sandbox/users.h"

namespace lamina::sandbox {
namespace {

// Arrives when `lamina` has ended.
int end_signal() { return SIGRTMIN; }

void end_with_caller() {
  const pid_t caller = getppid();
  if (prctl(PR_SET_PDEATHSIG, end_signal(), 0, 0, 0) != 0) fail("cannot tie the sandbox to its caller");
  if (getppid() != caller) _exit(own_failure);
}

// Limits for each process, for what no control group limits.
void bound_without_group(Spec& spec, const ControlGroup& group, bool own_users) {
  if (!group.bounds_memory() && spec.bounds.memory != 0)
    spec.limits.push_back({RLIMIT_DATA, spec.bounds.memory, spec.bounds.memory});
  // Counted for each user namespace; the machine's root has no such limit.
  if (!group.bounds_processes() && own_users && spec.bounds.processes != 0)
    spec.limits.push_back({RLIMIT_NPROC, spec.bounds.processes, spec.bounds.processes});
  // Else the PID namespace limits them, by their numbers.
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
  const Pipe go = make_pipe();
  Channels channels = {go.read_end, go.write_end, -1, -1};
  int ends[2] = {};
  if (!terminal) return channels;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) fail("cannot make a socket");
  channels.terminal_here = ends[0];
  channels.terminal_there = ends[1];
  return channels;
}

void let_go(int go) {
  // It may have ended: then its exit status gives the reason.
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
      // `lamina` passes signals to a user's command; a terminal sends them to us as well.
      if (number == end_signal() || (!interactive && number == SIGTERM)) (void)kill(first, SIGKILL);
    }
  }
}

int exit_code(int code, const ControlGroup& group, const Relay& relay) {
  if (group.ran_out_of_memory()) {
    say("the sandbox has reached its memory limit, and the kernel has killed processes in it (see --memory of "
        "lamina run)");
    return code == 0 ? signal_base + SIGKILL : code;
  }
  return code == 0 && relay.has_lost_output() ? output_lost : code;
}

struct Start {
  const Spec& spec;
  const Descriptors& descriptors;
  const std::string& filter;
  const Taken* taken;
  const CommandEnds& ends;
  const Channels& channels;
  char* const* arguments;
};

pid_t start_first(const Start& start, bool own_users) {
  const auto first =
      static_cast<pid_t>(syscall(SYS_clone, namespaces(start.spec, own_users) | SIGCHLD, nullptr, nullptr, nullptr, 0));
  if (first != 0) return first;
  close(start.channels.go_write);
  be_first({start.spec, start.filter, start.taken, start.ends, start.channels.go_read, start.channels.terminal_there,
            start.descriptors.status, own_users, start.arguments});
}

// The maker's part for a sandbox with a range of users, which lacks the privilege for it.
void prepare_range(pid_t first, uid_t root, const Start& start) {
  give_nodes(start.taken->nodes, root);
  for (const int end : {start.ends.input, start.ends.output, start.ends.error})
    if (end >= 0 && fchown(end, root, root) != 0) fail("cannot give input and output to the sandbox");
  set_limits(first, start.spec);
}

void give_up(pid_t first) {
  (void)kill(first, SIGKILL);
  while (waitpid(first, nullptr, 0) < 0 && errno == EINTR) continue;
}

// The first process of a sandbox with a range of users; -1 where this machine cannot have one.
pid_t start_with_range(const Start& start, const IdRange& range) {
  const pid_t first = start_first(start, true);
  if (first < 0) {
    // user_namespaces(7): none is allowed (ENOSPC), or not for this process (EPERM), or the kernel has none (EINVAL).
    if (errno != ENOSPC && errno != EPERM && errno != EINVAL) fail("cannot make the namespaces of a sandbox");
    return -1;
  }
  if (!give_range(first, range.first(), *start.taken)) {
    give_up(first);
    return -1;
  }
  prepare_range(first, range.first(), start);
  return first;
}

void refuse_without_users() {
  fail(
      "this machine cannot give the sandbox a user namespace, which --userns own requires: it needs Linux 6.12, user "
      "namespaces that are not switched off, and a container mounted by this version of lamina (see lamina host)",
      EOPNOTSUPP);
}

void refuse_user(uid_t user) {
  fail("user " + std::to_string(user) + " is outside the " + std::to_string(IdRange::count) +
           " users of the user namespace; --userns host runs without one",
       EINVAL);
}

pid_t start_sandbox(const Start& start, const std::optional<IdRange>& range, bool as_root) {
  if (range) {
    const pid_t first = start_with_range(start, *range);
    if (first >= 0) return first;
    if (start.spec.own_users == Spec::OwnUsers::always) refuse_without_users();
  }
  const pid_t first = start_first(start, !as_root);
  if (first < 0) fail("cannot make the namespaces of a sandbox");
  if (!as_root) give_one_user(first);
  return first;
}

}  // namespace

int make_sandbox(const Descriptors& descriptors, char* const* arguments) {
  end_with_caller();
  be_ended_like_others();
  leave_real_time();
  Spec spec = read_spec(descriptors.setup);
  const std::string filter = read_filter(descriptors.filter);
  const bool as_root = geteuid() == 0;
  std::optional<IdRange> range;
  if (as_root && spec.own_users != Spec::OwnUsers::no && is_machines_root()) range.emplace();
  if (range && spec.uid >= IdRange::count) refuse_user(spec.uid);
  const ControlGroup group(spec.bounds);
  bound_without_group(spec, group, !as_root || range.has_value());
  Relay relay(spec);
  const Channels channels = make_channels(spec.terminal);
  const int host_mounts = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
  if (host_mounts < 0) fail("cannot open /proc/self/ns/mnt");
  std::optional<Taken> taken;
  if (as_root) {
    if (unshare(CLONE_NEWNS) != 0) fail("cannot make a mount namespace");
    taken = take(spec, is_machines_root());
  }
  const pid_t first = start_sandbox(
      {spec, descriptors, filter, taken ? &*taken : nullptr, relay.ends(), channels, arguments}, range, as_root);
  // This process must not keep mounts that the host unmounts meanwhile.
  if (as_root && setns(host_mounts, CLONE_NEWNS) != 0) fail("cannot leave the mount namespace");
  relay.close_ends();
  close(channels.go_read);
  report(descriptors.information, first);
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
