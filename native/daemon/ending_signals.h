// SIGTERM, SIGINT and SIGHUP end the mount.
#pragma once

#include <signal.h>

#include <functional>
#include <thread>

namespace lamina::daemon {

sigset_t ending_signals();
// Blocks the ending signals in this thread and all that it starts later, so that only EndingSignals gets them.
void block_ending_signals();

class EndingSignals {
 public:
  // From a thread of its own: the first signal calls `unmount`, which returns whether to wait for the users of the
  // mount; where it is still used after `patience_seconds`, or at a second signal, `stop` is called.
  EndingSignals(std::function<bool()> unmount, std::function<void()> stop);
  EndingSignals(const EndingSignals&) = delete;
  EndingSignals& operator=(const EndingSignals&) = delete;
  // Ends the thread; nothing is called any more.
  ~EndingSignals();

  static constexpr int patience_seconds = 10;

 private:
  void run() const;

  std::function<bool()> unmount_;
  std::function<void()> stop_;
  std::thread thread_;
};

}  // namespace lamina::daemon
