#include "sandbox/command.h"

#include <csignal>
#include <optional>
#include <string>

#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/message.h"
#include "sandbox/privileges.h"

namespace lamina::sandbox {
namespace {

constexpr int first_of_others = 3;

// The command's process: only the standard descriptors, and every signal with its default action.
void reset_process() {
  if (close_range(first_of_others, ~0u, 0) != 0) fail("cannot close descriptors");
  for (int number = 1; number < NSIG; ++number) {
    // Refused for SIGKILL, SIGSTOP and those of the C library, which have their defaults already.
    (void)signal(number, SIG_DFL);
  }
  sigset_t none;
  sigemptyset(&none);
  if (sigprocmask(SIG_SETMASK, &none, nullptr) != 0) fail("cannot unblock signals");
}

// Always a session of its own: signals from the command to its group must not reach our parent.
void lead_session(bool terminal) {
  if (setsid() < 0) fail("cannot begin a session");
  if (terminal && ioctl(STDIN_FILENO, TIOCSCTTY, 0) != 0) fail("cannot give the terminal to the command");
}

// A terminal signals a whole group: so do we.
bool is_for_group(int number) { return number == SIGINT || number == SIGQUIT || number == SIGHUP; }

void pass_on(int number, pid_t command) {
  if (is_for_group(number) && kill(-command, number) == 0) return;
  // It may have just ended.
  (void)kill(command, number);
}

int exit_code_of(int status) { return WIFSIGNALED(status) ? signal_base + WTERMSIG(status) : WEXITSTATUS(status); }

// Returns the command's exit code once it has ended.
std::optional<int> reap(pid_t command) {
  std::optional<int> code;
  int status = 0;
  for (pid_t pid = 0; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
    if (pid == command) code = exit_code_of(status);
  return code;
}

}  // namespace

pid_t start_command(char* const* arguments, const Spec& spec) {
  const pid_t command = fork();
  if (command < 0) fail("cannot start a process");
  if (command > 0) return command;
  lead_session(spec.terminal);
  reset_process();
  become_user(spec);
  // As the user: what it may not enter is no place for it to begin in.
  if (!spec.working_directory.empty() && chdir(spec.working_directory.c_str()) != 0) {
    say("cannot begin in '" + spec.working_directory + "'", errno);
    _exit(cannot_be_invoked);
  }
  execvp(arguments[0], arguments);
  const int error = errno;
  say(std::string("cannot run '") + arguments[0] + "'", error);
  _exit(error == ENOENT ? not_found : cannot_be_invoked);
}

int wait_for_command(pid_t command) {
  sigset_t all;
  sigfillset(&all);
  for (;;) {
    const int number = sigwaitinfo(&all, nullptr);
    if (number < 0) continue;
    if (number != SIGCHLD) {
      pass_on(number, command);
    } else if (const auto code = reap(command)) {
      return *code;
    }
  }
}

}  // namespace lamina::sandbox
