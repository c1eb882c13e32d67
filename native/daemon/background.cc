#include <fcntl.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>

#include "daemon/daemon.h"

namespace lamina::daemon {

namespace {

// What the child sends when the mount answers; else it sends the reason of the failure.
constexpr const char* mounted = "+";

void leave_terminal() {
  if (::chdir("/") != 0) ::syslog(LOG_WARNING, "cannot leave the working directory");
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0) return;
  for (const int standard : {0, 1, 2}) ::dup2(null, standard);
  if (null > 2) ::close(null);
}

int run_child(const DaemonOptions& options, int pipe) {
  ::setsid();
  return serve(options, [pipe](const std::string& line) {
    if (line.empty()) leave_terminal();
    const std::string message = line.empty() ? mounted : line;
    if (::write(pipe, message.data(), message.size()) < 0) ::syslog(LOG_WARNING, "nobody waits for the mount");
    ::close(pipe);
  });
}

std::string read_to_end(int pipe) {
  std::string message;
  std::array<char, 512> part{};
  for (;;) {
    const ssize_t size = ::read(pipe, part.data(), part.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return message;
    message.append(part.data(), static_cast<std::size_t>(size));
  }
}

}  // namespace

int serve_in_background(const DaemonOptions& options) {
  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) {
    ::perror("laminafs: pipe");
    return 1;
  }
  const pid_t child = ::fork();
  if (child < 0) {
    ::perror("laminafs: fork");
    return 1;
  }
  if (child == 0) {
    ::close(pipe[0]);
    ::_exit(run_child(options, pipe[1]));
  }
  ::close(pipe[1]);
  std::string message = read_to_end(pipe[0]);
  ::close(pipe[0]);
  if (message == mounted) return 0;
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  if (message.empty()) message = "ended before the mount answered";
  ::fprintf(stderr, "laminafs: %s\n", message.c_str());
  return 1;
}

}  // namespace lamina::daemon
