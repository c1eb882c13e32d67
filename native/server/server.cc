#include "server/server.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>

#include "server/session.h"

namespace lamina::server {

namespace {
unsigned thread_count(unsigned wanted) { return wanted != 0 ? wanted : std::max(2U, std::thread::hardware_concurrency()); }

// Signals are the main thread's.
void block_signals() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
}
}  // namespace

Server::Server(overlay::FileSystem& file_system, filter::Filter* filter, const ServerOptions& options)
    : session_(std::make_unique<Session>(file_system, filter, options, thread_count(options.threads))),
      threads_(thread_count(options.threads)) {}

Server::~Server() {
  for (std::thread& worker : workers_) {
    if (worker.joinable()) worker.join();
  }
}

sys::Status Server::start(fuse::Channel channel) {
  channels_.push_back(std::move(channel));
  while (channels_.size() < threads_) {
    auto clone = channels_.front().clone();
    // A socket in the place of /dev/fuse cannot be cloned: one worker answers.
    if (!clone.ok()) {
      if (clone.failed_with(EINVAL)) break;
      return clone.error();
    }
    channels_.push_back(std::move(*clone));
  }
  for (std::size_t i = 0; i < channels_.size(); ++i) {
    workers_.emplace_back([this, i] {
      block_signals();
      const sys::Status ended = session_->work(channels_[i], i);
      if (!ended.ok()) {
        int expected = 0;
        failure_.compare_exchange_strong(expected, ended.error().value);
      }
    });
  }
  return {};
}

sys::Status Server::wait() {
  for (std::thread& worker : workers_) worker.join();
  workers_.clear();
  const int failure = failure_.load();
  return failure == 0 ? sys::Status() : sys::Status(sys::Errno{failure});
}

Statistics Server::statistics() const { return session_->statistics(); }

}  // namespace lamina::server
