#include "daemon/ending_signals.h"

#include <pthread.h>
#include <signal.h>

#include <cerrno>
#include <ctime>

namespace lamina::daemon {

namespace {

// Sent by the destructor.
constexpr int no_more = SIGUSR2;

sigset_t watched() {
  sigset_t set = ending_signals();
  sigaddset(&set, no_more);
  return set;
}

}  // namespace

sigset_t ending_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, number);
  return set;
}

void block_ending_signals() {
  const sigset_t set = watched();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

EndingSignals::EndingSignals(std::function<bool()> unmount, std::function<void()> stop)
    : unmount_(std::move(unmount)), stop_(std::move(stop)), thread_([this] { run(); }) {}

EndingSignals::~EndingSignals() {
  pthread_kill(thread_.native_handle(), no_more);
  thread_.join();
}

void EndingSignals::run() const {
  const sigset_t set = watched();
  int number = 0;
  if (sigwait(&set, &number) != 0 || number == no_more) return;
  if (!unmount_()) return stop_();
  const timespec patience{patience_seconds, 0};
  do {
    number = sigtimedwait(&set, nullptr, &patience);
  } while (number < 0 && errno == EINTR);
  if (number != no_more) stop_();
}

}  // namespace lamina::daemon
