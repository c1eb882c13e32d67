#include "sandbox/first.h"

#include <fcntl.h>
#include <grp.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>

#include "sandbox/command.h"
#include "sandbox/inherit.h"
#include "sandbox/message.h"
#include "sandbox/privileges.h"
#include "sandbox/setup.h"
#include "sandbox/terminal.h"
#include "sandbox/text-file.h"
#include "sandbox/users.h"

namespace lamina::sandbox {
namespace {

constexpr char started[] = "started\n";

// Ends with its maker, which alone reports its end.
void end_with_maker(int go) {
  if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) fail("cannot tie the sandbox to its maker");
  pollfd maker = {go, 0, 0};
  if (poll(&maker, 1, 0) > 0 && (maker.revents & POLLHUP) != 0) _exit(own_failure);
}

void wait_for(int go) {
  char byte = 0;
  if (read(go, &byte, 1) != 1) _exit(own_failure);  // the maker has reported why
}

// A user namespace of an ordinary user (unshare --map-root-user) has one group, and lets none be left: they give as
// much there as in the sandbox of that user.
bool may_leave_groups() { return text_of("/proc/self/setgroups") != "deny\n"; }

void become_root(bool own_users, bool has_groups) {
  if (has_groups && may_leave_groups() && setgroups(0, nullptr) != 0) fail("cannot leave the groups of the caller");
  if (!own_users) return;
  if (setresgid(0, 0, 0) != 0 || setresuid(0, 0, 0) != 0) fail("cannot become root of the sandbox");
}

void bring_up_loopback() {
  const int socket_file = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket_file < 0) fail("cannot set up the loopback network");
  ifreq request = {};
  strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (ioctl(socket_file, SIOCSIFFLAGS, &request) != 0) fail("cannot set up the loopback network");
  close(socket_file);
}

void use_as(int from, int to) {
  if (from >= 0 && dup2(from, to) < 0) fail("cannot set up input and output");
}

std::string device(const Spec& spec, const char* name) {
  for (const Place& place : spec.places)
    if (place.kind == Place::Kind::dev) return "/" + place.path + "/" + name;
  fail("the sandbox has no /dev", EINVAL);
}

// The first process itself keeps none of the command's input and output open.
void let_go_of(const std::string& null_device) {
  const int null_file = open(null_device.c_str(), O_RDWR | O_CLOEXEC);
  if (null_file < 0) fail("cannot open " + null_device);
  for (const int file : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) use_as(null_file, file);
  close(null_file);
}

void set_input_and_output(const First& first) {
  const Spec& spec = first.spec;
  if (spec.terminal) {
    const int other = make_terminal(device(spec, "pts/ptmx"), first.terminal);
    use_as(other, STDIN_FILENO);
    use_as(other, STDOUT_FILENO);
    if (first.ends.error < 0) use_as(other, STDERR_FILENO);
    close(other);
  } else if (!spec.input) {
    const int none = open(device(spec, "null").c_str(), O_RDONLY | O_CLOEXEC);
    if (none < 0) fail("cannot open " + device(spec, "null"));
    use_as(none, STDIN_FILENO);
    close(none);
  }
}

// So that the user can open /dev/stdout and the like. A node for no input is accessible to everybody.
void give_to_user(const Spec& spec) {
  if (spec.uid == 0) return;
  for (const int file : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (file == STDIN_FILENO && !spec.input) continue;
    if (fchown(file, spec.uid, static_cast<gid_t>(-1)) != 0) fail("cannot give input and output to the user");
  }
}

}  // namespace

void be_first(const First& first) {
  const Spec& spec = first.spec;
  use_as(first.ends.input, STDIN_FILENO);
  use_as(first.ends.output, STDOUT_FILENO);
  use_as(first.ends.error, STDERR_FILENO);
  end_with_maker(first.go);
  wait_for(first.go);
  become_root(first.own_users, first.taken != nullptr);
  end_with_maker(first.go);
  set_inherited(spec);
  if (sethostname(spec.host_name.c_str(), spec.host_name.size()) != 0) fail("cannot set the host name");
  if (!spec.host_network) bring_up_loopback();
  enter_root(spec, first.taken != nullptr ? *first.taken : take(spec, false), !is_machines_root());
  make_directories_and_files(spec);
  set_input_and_output(first);
  give_to_user(spec);
  wait_for(first.go);
  if (unshare(CLONE_NEWCGROUP) != 0) fail("cannot make a namespace for control groups");
  limit_privileges(spec, first.filter);
  if (write(first.status, started, sizeof started - 1) < 0) fail("cannot report that the sandbox is there");
  constexpr unsigned first_of_others = 3;
  if (close_range(first_of_others, ~0u, 0) != 0) fail("cannot close descriptors");
  const pid_t command = start_command(first.arguments, spec);
  let_go_of(device(spec, "null"));
  _exit(wait_for_command(command));
}

}  // namespace lamina::sandbox
