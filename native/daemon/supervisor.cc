#include "daemon/supervisor.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <deque>
#include <vector>

#include "daemon/ending_signals.h"
#include "sys/process.h"

namespace lamina::daemon {

namespace {

constexpr std::array crash_signals{SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS};
std::array<struct sigaction, crash_signals.size()> actions_before;

// The fault repeats after the return, and then kills the process.
void on_crash(int number) {
  server::mark_crashed_request();
  for (std::size_t i = 0; i < crash_signals.size(); ++i) {
    if (crash_signals[i] == number) ::sigaction(number, &actions_before[i], nullptr);
  }
}

void watch_crashes() {
  struct sigaction action {};
  action.sa_handler = on_crash;
  action.sa_flags = SA_NODEFER;
  for (std::size_t i = 0; i < crash_signals.size(); ++i) ::sigaction(crash_signals[i], &action, &actions_before[i]);
}

// By a process of its own: the descriptor that syslog(3) opens must not be one of the worker's table.
void log(const DaemonOptions& options, int priority, const std::string& line) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::openlog("laminafs", LOG_PID | (options.foreground ? LOG_PERROR : 0), LOG_DAEMON);
    ::syslog(priority, "%s", line.c_str());
    ::_exit(0);
  }
  while (child > 0 && ::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
}

class Supervisor {
 public:
  Supervisor(Mount& mount, const DaemonOptions& options, const std::function<void(const std::string&)>& ready)
      : mount_(mount), options_(options), ready_(ready) {}
  int run();

 private:
  sys::Status start();
  [[noreturn]] void work();
  // Waits for the worker's end; gives the status of waitpid(2).
  int wait();
  // Why the worker is not replaced; empty: it is.
  std::string reason_to_end();
  int end(const std::string& reason);

  Mount& mount_;
  const DaemonOptions& options_;
  const std::function<void(const std::string&)>& ready_;
  std::vector<int> descriptors_;  // open before the first worker
  std::vector<int> pipes_;        // the same, until the mount was seen to answer
  pid_t worker_ = -1;
  bool again_ = false;
  int ending_signal_ = 0;  // that was sent to the worker
  std::deque<std::chrono::steady_clock::time_point> deaths_;
};

void Supervisor::work() {
  watch_crashes();
  if (again_) {
    std::vector<int> kept = mount_.kept_descriptors();
    kept.insert(kept.end(), descriptors_.begin(), descriptors_.end());
    if (!mount_.slots().ready()) kept.insert(kept.end(), pipes_.begin(), pipes_.end());
    static_cast<void>(sys::close_descriptors_but(kept));  // without /proc they stay open unused
  }
  // Reported once: its pipe is closed then.
  const bool was_ready = mount_.slots().ready();
  const auto ready = [&](const std::string& line) {
    if (was_ready) return;
    mount_.slots().set_ready();
    ready_(line);
  };
  ::_exit(run_worker(mount_, options_, ready, again_));
}

sys::Status Supervisor::start() {
  LAMINA_ASSIGN(worker_, sys::fork_sharing_descriptors());
  if (worker_ == 0) work();
  if (ending_signal_ != 0) ::kill(worker_, ending_signal_);
  return {};
}

int Supervisor::wait() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGCHLD, SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, number);
  for (;;) {
    int status = 0;
    if (::waitpid(worker_, &status, WNOHANG) == worker_) return status;
    siginfo_t information{};
    const int number = ::sigwaitinfo(&signals, &information);
    if (number <= 0 || number == SIGCHLD) continue;
    ending_signal_ = number;
    // A terminal has sent it to the worker too.
    if (information.si_code != SI_KERNEL) ::kill(worker_, number);
  }
}

std::string Supervisor::reason_to_end() {
  const auto now = std::chrono::steady_clock::now();
  deaths_.push_back(now);
  while (deaths_.front() < now - std::chrono::seconds(deaths_within_seconds)) deaths_.pop_front();
  if (deaths_.size() >= most_deaths) {
    return std::to_string(most_deaths) + " workers have died within " + std::to_string(deaths_within_seconds) +
           " seconds";
  }
  if (!mount_.slots().resendable()) return "this kernel cannot send requests again (Linux 6.9 can)";
  return {};
}

int Supervisor::end(const std::string& reason) {
  log(options_, LOG_ERR,
      mount_.mountpoint() + ": " + reason + "; the mount ends. What was written is in the upper: mount it again.");
  const sys::Status unmounted = mount_.unmount();
  if (!unmounted.ok() && !unmounted.failed_with(EINVAL)) {
    log(options_, LOG_ERR, "cannot unmount " + mount_.mountpoint() + ": " + std::strerror(unmounted.error().value));
  }
  return 1;
}

int Supervisor::run() {
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  ::sigprocmask(SIG_BLOCK, &child, nullptr);
  // So that the file system from which it was started can be unmounted.
  const bool leaves = !options_.foreground && (options_.control.empty() || options_.control.front() == '/');
  if (leaves && ::chdir("/") != 0) log(options_, LOG_WARNING, "cannot leave the working directory");
  auto open = sys::open_descriptors();
  if (!open) {
    ready_("reading /proc/self/fd, which a supervisor needs: " + std::string(std::strerror(open.error().value)));
    static_cast<void>(mount_.unmount());
    return 1;
  }
  for (const int each : *open) {
    struct stat status {};
    const bool pipe = each > STDERR_FILENO && ::fstat(each, &status) == 0 && S_ISFIFO(status.st_mode);
    (pipe ? pipes_ : descriptors_).push_back(each);
  }
  for (;;) {
    const sys::Status started = start();
    if (!started.ok()) return end(std::string("starting a worker: ") + std::strerror(started.error().value));
    const int status = wait();
    if (WIFEXITED(status)) return WEXITSTATUS(status);
    const std::string how = "worker " + std::to_string(worker_) + " has died of signal " +
                            std::to_string(WTERMSIG(status)) + " (" + ::strsignal(WTERMSIG(status)) + ")";
    const std::string reason = reason_to_end();
    if (!reason.empty()) return end(how + "; " + reason);
    log(options_, LOG_WARNING, mount_.mountpoint() + ": " + how + "; a new worker takes over");
    again_ = true;
  }
}

}  // namespace

int supervise(Mount& mount, const DaemonOptions& options, const std::function<void(const std::string&)>& ready) {
  // The worker has written everything. The state of the shared descriptors is unknown here.
  ::_exit(Supervisor(mount, options, ready).run());
}

}  // namespace lamina::daemon
