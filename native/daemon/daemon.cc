#include "daemon/daemon.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <syslog.h>

#include <cstring>

#include "daemon/ending_signals.h"
#include "daemon/in_use.h"
#include "daemon/mount.h"
#include "daemon/supervisor.h"
#include "sys/names.h"

namespace lamina::daemon {

namespace {

void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  static_cast<void>(::setrlimit(RLIMIT_NOFILE, &limit));  // if not allowed, caches are smaller
}

void prepare_process(const DaemonOptions& options) {
  ::openlog("laminafs", LOG_PID | (options.foreground ? LOG_PERROR : 0), LOG_DAEMON);
  sys::clear_umask();
  raise_descriptor_limit();
  ::signal(SIGPIPE, SIG_IGN);
  // Memory reclaim must not wait for writes to this mount (PR_SET_IO_FLUSHER of prctl(2)); needs CAP_SYS_RESOURCE.
  static_cast<void>(::prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0));
  block_ending_signals();
}

void log_failed_unmount(const Mount& mount) {
  const sys::Status unmounted = mount.unmount();
  // EINVAL: it is gone already.
  if (unmounted.ok() || unmounted.failed_with(EINVAL)) return;
  ::syslog(LOG_ERR, "cannot unmount %s: %s", mount.mountpoint().c_str(), std::strerror(unmounted.error().value));
}

}  // namespace

int serve(const DaemonOptions& options, const std::function<void(const std::string&)>& ready) {
  prepare_process(options);
  std::string explanation;
  auto made = Mount::make(options, explanation);
  InUse use(options);
  while (made.failed_with(EBUSY) && !options.overlay.work.empty()) {
    const InUse::Outcome outcome = use.settle(explanation);
    if (outcome == InUse::Outcome::refused) break;
    if (outcome == InUse::Outcome::brought) {
      ready("");
      if (options.foreground) use.wait_for_its_end();
      return 0;
    }
    explanation.clear();
    made = Mount::make(options, explanation);
  }
  if (!made) {
    ready(explanation.empty() ? std::strerror(made.error().value) : explanation);
    return 1;
  }
  if (options.supervise) return supervise(**made, options, ready);
  return run_worker(**made, options, ready, false);
}

int run_worker(Mount& mount, const DaemonOptions& options, const std::function<void(const std::string&)>& ready,
               bool again) {
  std::string explanation;
  const sys::Status begun = again ? mount.resume(options, explanation) : mount.begin(options, explanation);
  if (!begun.ok()) {
    const std::string line = explanation.empty() ? std::strerror(begun.error().value) : explanation;
    if (again) ::syslog(LOG_ERR, "%s: %s", mount.mountpoint().c_str(), line.c_str());
    ready(line);
    return 1;
  }
  {
    const auto unmount = [&] {
      log_failed_unmount(mount);
      // Another mount namespace would keep it for as long as it lives, and its programs would not notice.
      return !mount.is_held_elsewhere();
    };
    const EndingSignals signals(unmount, [&] { mount.stop(); });
    ready("");
    mount.wait();
  }
  return mount.finish() ? 0 : 1;
}

}  // namespace lamina::daemon
