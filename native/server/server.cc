#include "server/server.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <new>

#include "server/session.h"

namespace lamina::server {

namespace {

// Wakes a worker from its read; all other signals are the main thread's.
constexpr int wake_up = SIGUSR1;

void take_only_wake_up() {
  sigset_t all;
  sigfillset(&all);
  sigdelset(&all, wake_up);
  pthread_sigmask(SIG_SETMASK, &all, nullptr);
}

void install_wake_up() {
  struct sigaction action {};
  action.sa_handler = [](int) {};  // without SA_RESTART: the read ends with EINTR
  sigaction(wake_up, &action, nullptr);
}

}  // namespace

std::size_t default_workers() { return std::max(2U, std::thread::hardware_concurrency()); }

Server::Server(overlay::FileSystem& file_system, filter::Filter* filter, const ServerOptions& options, RequestSlots* slots)
    : file_system_(file_system), filter_(filter), options_(options), slots_(slots) {}

Server::~Server() {
  for (const auto& worker : workers_) {
    if (worker->thread.joinable()) worker->thread.join();
  }
  if (invalidating_.joinable()) invalidating_.join();
}

void Server::make_session(std::size_t workers) {
  install_wake_up();
  if (slots_ == nullptr) {
    auto made = RequestSlots::make(workers);
    if (!made) throw std::bad_alloc();
    own_slots_ = std::move(*made);
    slots_ = own_slots_.get();
  }
  session_ = std::make_unique<Session>(file_system_, filter_, options_, *slots_);
}

void Server::start(std::vector<fuse::Channel> channels) {
  if (!session_) make_session(channels.size());
  for (fuse::Channel& channel : channels) workers_.push_back(std::make_unique<Worker>(std::move(channel)));
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    workers_[i]->thread = std::thread([this, i] { run(*workers_[i], i); });
  }
}

sys::Status Server::resume(std::vector<fuse::Channel> channels) {
  make_session(channels.size());
  LAMINA_TRY(session_->recover(channels.front()));
  start(std::move(channels));
  invalidating_ = std::thread([this] {
    const sys::Status told = session_->invalidate(workers_.front()->channel);
    if (!told.ok() && options_.report) options_.report(std::string("invalidating caches: ") + std::strerror(told.error().value));
  });
  return {};
}

void Server::run(Worker& worker, std::size_t number) {
  take_only_wake_up();
  const sys::Status ended = session_->work(worker.channel, number, stopping_);
  if (!ended.ok()) {
    int expected = 0;
    failure_.compare_exchange_strong(expected, ended.error().value);
  }
  worker.ended.store(true);
}

sys::Status Server::wait() {
  for (const auto& worker : workers_) {
    if (worker->thread.joinable()) worker->thread.join();
  }
  const int failure = failure_.load();
  return failure == 0 ? sys::Status() : sys::Status(sys::Errno{failure});
}

void Server::stop() {
  stopping_.store(true);
  constexpr auto pause = std::chrono::milliseconds(2);
  const auto all_ended = [&] {
    return std::all_of(workers_.begin(), workers_.end(), [](const auto& worker) { return worker->ended.load(); });
  };
  // A signal that comes just before the read is lost: send it again.
  while (!all_ended()) {
    for (const auto& worker : workers_) {
      if (!worker->ended.load()) pthread_kill(worker->thread.native_handle(), wake_up);
    }
    std::this_thread::sleep_for(pause);
  }
}

sys::Status Server::check_passthrough(std::string& explanation) {
  constexpr const char* instead = "; say mode=stateless";
  if (!session_->passes_through()) {
    explanation = std::string("mode=passthrough needs Linux 6.9 or newer with FUSE passthrough") + instead;
    return sys::Errno{EOPNOTSUPP};
  }
  const auto refuse = [&](sys::Errno error, const std::string& layer) {
    explanation = "mode=passthrough: data of " + layer + " cannot pass through: ";
    if (error.value == ELOOP) {
      explanation += "its file system is stacked on another (an overlay?)";
    } else if (error.value == EPERM) {
      explanation += "that takes CAP_SYS_ADMIN";
    } else {
      explanation += std::strerror(error.value);
    }
    explanation += instead;
    return error;
  };
  const auto samples = file_system_.samples();
  if (!samples.ok()) return refuse(samples.error(), "the layers");
  const fuse::Channel& channel = workers_.front()->channel;
  for (const auto& [file, layer] : *samples) {
    const auto id = channel.open_backing(file->descriptor());
    if (!id.ok()) return refuse(id.error(), layer);
    LAMINA_TRY(channel.close_backing(*id));
  }
  return {};
}

Statistics Server::statistics() const { return session_ ? session_->statistics() : Statistics(); }

}  // namespace lamina::server
