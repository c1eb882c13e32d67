#include "daemon/daemon.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <thread>

#include "control/control_server.h"
#include "daemon/statistics.h"
#include "filter/filter.h"
#include "fuse/mount.h"
#include "overlay/file_system.h"
#include "sys/names.h"

namespace lamina::daemon {

using sys::Status;

namespace {

void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  // What cannot be raised leaves smaller caches, no more.
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

sigset_t ending_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, number);
  return set;
}

// A signal takes the mount away; the workers then end by themselves.
void unmount_on_signal(const std::string& mountpoint) {
  std::thread([mountpoint] {
    const sigset_t set = ending_signals();
    int number = 0;
    if (::sigwait(&set, &number) != 0) return;
    const Status unmounted = fuse::unmount(mountpoint);
    if (!unmounted.ok() && !unmounted.failed_with(EINVAL)) {
      ::syslog(LOG_ERR, "cannot unmount %s: %s", mountpoint.c_str(), std::strerror(unmounted.error().value));
    }
  }).detach();
}

bool absolute(const std::string& path, std::string& resolved, std::string& explanation) {
  const std::unique_ptr<char, decltype(&std::free)> real(::realpath(path.c_str(), nullptr), &std::free);
  if (!real) {
    explanation = "mount point " + path + ": " + std::strerror(errno);
    return false;
  }
  resolved = real.get();
  return true;
}

// All that a mount consists of, in the order in which it is made; it goes in the opposite order.
struct Mount {
  std::unique_ptr<overlay::FileSystem> file_system;
  std::unique_ptr<filter::Filter> filter;
  std::unique_ptr<server::Server> server;
  std::unique_ptr<control::ControlServer> control;
  std::string mountpoint;
};

Status open_parts(const DaemonOptions& options, Mount& mount, std::string& explanation) {
  if (!absolute(options.mountpoint, mount.mountpoint, explanation)) return sys::Errno{ENOENT};
  LAMINA_ASSIGN(mount.file_system, overlay::FileSystem::open(options.overlay, explanation));
  if (!options.filter.empty() || !options.journal.empty() || !options.read_set.empty()) {
    LAMINA_ASSIGN(mount.filter, filter::Filter::open({options.filter, options.journal, options.read_set}, explanation));
  }
  mount.server = std::make_unique<server::Server>(*mount.file_system, mount.filter.get(), options.server);
  return {};
}

control::Handlers handlers_of(const DaemonOptions& options, Mount& mount) {
  control::Handlers handlers;
  const bool servicing = options.server.mode == server::Mode::servicing;
  handlers["ping"] = [&mount, servicing](std::string_view) {
    return ping_answer(mount.mountpoint, servicing ? "servicing" : "stateless");
  };
  handlers["statistics"] = [&mount](std::string_view) {
    return statistics_answer(mount.server->statistics(), mount.file_system->counters());
  };
  handlers["flush"] = [&mount](std::string_view) {
    return status_answer(mount.filter ? mount.filter->flush() : Status(), "writing the journal");
  };
  handlers["shutdown"] = [&mount](std::string_view) {
    return status_answer(fuse::unmount(mount.mountpoint), "unmounting " + mount.mountpoint);
  };
  return handlers;
}

Status start(const DaemonOptions& options, Mount& mount, std::string& explanation) {
  fuse::MountOptions request;
  request.mountpoint = mount.mountpoint;
  request.source = options.source;
  request.subtype = options.subtype;
  request.flags = options.mount_flags;
  request.allow_other = options.allow_other;
  LAMINA_ASSIGN(fuse::Channel channel, fuse::mount(request, explanation));
  const auto begin = [&]() -> Status {
    LAMINA_TRY(mount.server->start(std::move(channel)));
    struct statfs answer {};
    if (::statfs(mount.mountpoint.c_str(), &answer) != 0) return sys::last_error();
    if (options.control.empty()) return {};
    LAMINA_ASSIGN(mount.control, control::ControlServer::open(options.control, handlers_of(options, mount), explanation));
    return {};
  };
  const Status begun = begin();
  if (begun.ok()) return begun;
  if (explanation.empty())
    explanation = "the mount on " + mount.mountpoint + " does not answer: " + std::strerror(begun.error().value);
  LAMINA_TRY(fuse::unmount(mount.mountpoint));
  return begun;
}

// The journal and the read set are whole when the process has ended.
int finish(Mount& mount) {
  int code = 0;
  const auto failed = [&](const char* what, const Status& status) {
    if (status.ok()) return;
    ::syslog(LOG_ERR, "%s: %s: %s", mount.mountpoint.c_str(), what, std::strerror(status.error().value));
    code = 1;
  };
  failed("answering requests", mount.server->wait());
  mount.control.reset();
  if (mount.filter) failed("writing the journal and the read set", mount.filter->close());
  mount.server.reset();
  mount.filter.reset();
  mount.file_system.reset();  // gives the lock on work back, last
  return code;
}

}  // namespace

int serve(const DaemonOptions& options, const std::function<void(const std::string&)>& ready) {
  ::openlog("laminafs", LOG_PID | (options.foreground ? LOG_PERROR : 0), LOG_DAEMON);
  sys::clear_umask();
  raise_descriptor_limit();
  ::signal(SIGPIPE, SIG_IGN);
  const sigset_t set = ending_signals();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  Mount mount;
  std::string explanation;
  const auto give_up = [&](sys::Errno error) {
    ready(explanation.empty() ? std::strerror(error.value) : explanation);
    return 1;
  };
  const Status opened = open_parts(options, mount, explanation);
  if (!opened.ok()) return give_up(opened.error());
  const Status started = start(options, mount, explanation);
  if (!started.ok()) {
    if (mount.filter) {
      // Nothing was recorded that anybody could use: the mount never came to be.
      (void)mount.filter->close();
    }
    return give_up(started.error());
  }
  unmount_on_signal(mount.mountpoint);
  ready("");
  return finish(mount);
}

namespace {

void detach_from_terminal() {
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0) return;
  for (const int standard : {0, 1, 2}) ::dup2(null, standard);
  ::close(null);
}

int child_of(const DaemonOptions& options, int pipe) {
  ::setsid();
  return serve(options, [pipe](const std::string& line) {
    if (line.empty()) {
      if (::chdir("/") != 0) ::syslog(LOG_WARNING, "cannot leave the working directory");
      detach_from_terminal();
    }
    // '+' alone: the mount answers. Else the line to print.
    const std::string message = line.empty() ? "+" : line;
    if (::write(pipe, message.data(), message.size()) < 0) ::syslog(LOG_WARNING, "nobody waits for the mount");
    ::close(pipe);
  });
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
    ::_exit(child_of(options, pipe[1]));
  }
  ::close(pipe[1]);
  std::string message;
  std::array<char, 512> part{};
  for (ssize_t size = 0; (size = ::read(pipe[0], part.data(), part.size())) != 0;) {
    if (size < 0 && errno != EINTR) break;
    if (size > 0) message.append(part.data(), static_cast<std::size_t>(size));
  }
  ::close(pipe[0]);
  if (message == "+") return 0;
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (message.empty()) message = "ended before the mount answered";
  ::fprintf(stderr, "laminafs: %s\n", message.c_str());
  return 1;
}

}  // namespace lamina::daemon
