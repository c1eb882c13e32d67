#include "server/server.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <new>

#include "fuse/mount.h"
#include "fuse/ring_entry.h"
#include "server/session.h"
#include "sys/processors.h"

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

// A place for each worker over io_uring: two a processor, so that one that waits for a disk does not block all; the
// kernel needs one for each possible processor.
std::vector<unsigned> ring_places() {
  constexpr std::size_t many = 16;
  const auto possible = sys::possible_processors();
  if (!possible.ok()) return {};
  std::vector<unsigned> places = sys::usable_processors();
  if (places.size() > many) places.clear();
  for (unsigned processor = 0; processor < *possible; ++processor) places.push_back(processor);
  return places;
}

}  // namespace

std::uint32_t new_generation() {
  constexpr std::uint64_t bits = 0x7FFFFFFF;  // the kernel keeps 32, with a sign
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto ticks = static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
  return static_cast<std::uint32_t>((ticks ^ (ticks >> 31U)) & bits) | 1U;
}

std::size_t default_workers() { return std::max(2U, std::thread::hardware_concurrency()); }

Server::Server(overlay::FileSystem& file_system, filter::Filter* filter, const ServerOptions& options,
               RequestSlots* slots)
    : file_system_(file_system), filter_(filter), options_(options), slots_(slots) {}

Server::~Server() {
  join();
  if (invalidating_.joinable()) invalidating_.join();
}

void Server::join() {
  const auto join_all = [](const auto& workers) {
    for (const auto& worker : workers) {
      if (worker->thread.joinable()) worker->thread.join();
    }
  };
  join_all(workers_);
  // Without INIT they were not notified.
  if (session_) session_->give_up_ring();
  join_all(ring_workers_);
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

// Features not requested at the start of a mount are unavailable later, and a ring's requests cannot be resent: not
// after a resume, nor where one is possible.
void Server::plan_ring() {
  if (options_.ring == Ring::off || slots_ != nullptr || !fuse::ring_enabled()) return;
  for (const unsigned processor : ring_places()) {
    ring_workers_.push_back(std::make_unique<RingWorker>());
    ring_workers_.back()->processor = processor;
  }
}

void Server::start(std::vector<fuse::Channel> channels) {
  if (!session_) {
    plan_ring();
    make_session(channels.size() + ring_workers_.size());
  }
  for (fuse::Channel& channel : channels) workers_.push_back(std::make_unique<Worker>(std::move(channel)));
  session_->offer_ring(start_ring());
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    workers_[i]->thread = std::thread([this, i] { run(*workers_[i], i); });
  }
}

sys::Status Server::resume(std::vector<fuse::Channel> channels) {
  make_session(channels.size());
  LAMINA_TRY(session_->recover(channels.front()));
  start(std::move(channels));
  invalidating_ = std::thread([this] {
    const sys::Status invalidated = session_->invalidate(workers_.front()->channel);
    if (invalidated.ok() || !options_.report) return;
    options_.report(std::string("invalidating caches: ") + std::strerror(invalidated.error().value));
  });
  return {};
}

// The kernel lets requests wait for entries once it has agreed to the ring: so whether they can be made is tested
// before.
bool Server::start_ring() {
  if (ring_workers_.empty()) return false;
  std::latch ready(static_cast<std::ptrdiff_t>(ring_workers_.size()));
  std::atomic<bool> failed{false};
  for (std::size_t i = 0; i < ring_workers_.size(); ++i) {
    ring_workers_[i]->thread = std::thread([&, i] { run(*ring_workers_[i], workers_.size() + i, ready, failed); });
  }
  ready.wait();
  return !failed.load();
}

void Server::record(const sys::Status& ended) {
  int expected = 0;
  if (!ended.ok()) failure_.compare_exchange_strong(expected, ended.error().value);
}

void Server::run(Worker& worker, std::size_t number) {
  take_only_wake_up();
  record(session_->work(worker.channel, number, stopping_));
  worker.ended.store(true);
}

void Server::run(RingWorker& worker, std::size_t number, std::latch& ready, std::atomic<bool>& failed) {
  take_only_wake_up();
  sys::prefer_processor(worker.processor);
  const fuse::Channel& channel = workers_.front()->channel;
  const auto entry = fuse::RingEntry::make(channel, worker.processor, max_write);
  if (!entry.ok()) failed.store(true);
  ready.count_down();
  if (entry.ok()) record(session_->work(**entry, channel, number, stopping_));
  worker.ended.store(true);
}

sys::Status Server::wait() {
  join();
  const int failure = failure_.load();
  return failure == 0 ? sys::Status() : sys::Status(sys::Errno{failure});
}

void Server::stop() {
  stopping_.store(true);
  session_->give_up_ring();
  constexpr auto pause = std::chrono::milliseconds(2);
  // A signal just before the read is lost: send it again.
  const auto wake_all = [](const auto& workers) {
    bool all_ended = true;
    for (const auto& worker : workers) {
      if (worker->ended.load()) continue;
      all_ended = false;
      pthread_kill(worker->thread.native_handle(), wake_up);
    }
    return all_ended;
  };
  for (;;) {
    const bool read_ended = wake_all(workers_), ring_ended = wake_all(ring_workers_);
    if (read_ended && ring_ended) return;
    std::this_thread::sleep_for(pause);
  }
}

bool Server::uses_ring() const { return session_ && session_->uses_ring(); }

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
      explanation += "this needs CAP_SYS_ADMIN";
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
