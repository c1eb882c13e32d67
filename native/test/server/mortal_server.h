// A server in a process of its own that can be killed at any step, and the next one that goes on for it, as laminafs's
// supervisor does it; with the kernel's side of the connection.
#pragma once

#include <sys/wait.h>

#include <csignal>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "filter/filter.h"
#include "server/request_slots.h"
#include "server/server.h"
#include "sys/process.h"
#include "sys/step.h"
#include "test/overlay/sample_tree.h"
#include "test/server/kernel.h"

namespace lamina::test {

// In memory that the processes share: how many steps the server has left.
struct Doom {
  std::atomic<long> steps{0};       // 0: it lives
  std::atomic<long> answerings{0};  // the same, counting only answers that are on their way
  std::atomic<long> faults{0};      // so many requests make the server fail as soon as they are taken
};

class MortalServer {
 public:
  struct Mount {
    bool indexed = false;
    bool synchronous = true;
  };
  explicit MortalServer(const std::function<void(const TemporaryDirectory&)>& fill, const Mount& mount) {
    for (const char* name : {"lower", "upper", "work"}) place_.directory(name);
    fill(place_);
    if (mount.indexed) write_index(place_.path("lower"), place_.path("index"));
    overlay::Options options;
    options.lowers = {{place_.path("lower"), mount.indexed ? place_.path("index") : ""}};
    options.upper = place_.path("upper");
    options.work = place_.path("work");
    options.user_xattr = user_marks();
    options.synchronous = mount.synchronous;
    std::string explanation;
    auto opened = overlay::FileSystem::open(options, explanation);
    EXPECT_TRUE(opened.ok()) << explanation;
    file_system_ = std::move(*opened);
    auto filter = filter::Filter::open({"", place_.path("journal"), place_.path("reads")}, explanation);
    EXPECT_TRUE(filter.ok()) << explanation;
    filter_ = std::move(*filter);
    slots_ = *server::RequestSlots::make(1);
    memory_ = *sys::SharedMemory::reserve(4096);
    descriptors_ = *sys::open_descriptors();
    start();
    abi::InitIn in{};
    in.major = 7;
    in.minor = 45;
    in.flags = in.flags2 = ~0U;
    EXPECT_EQ(kernel_.ask(abi::Opcode::init, 0, Kernel::bytes(in)).error, 0);
  }
  MortalServer(const MortalServer&) = delete;
  MortalServer& operator=(const MortalServer&) = delete;
  ~MortalServer() {
    kill();
    static_cast<void>(sys::close_descriptors_but(descriptors_));
  }

  [[nodiscard]] Kernel& kernel() { return kernel_; }
  [[nodiscard]] const TemporaryDirectory& place() const { return place_; }
  // Lets it die at the step of that number, or at an answer of that number; 0: not.
  void doom_to(long steps, long answerings) {
    armed_ = steps > 0 || answerings > 0;
    doom().answerings.store(answerings);
    doom().steps.store(steps);
  }
  [[nodiscard]] Doom& doom() { return *reinterpret_cast<Doom*>(memory_.bytes().data()); }
  [[nodiscard]] std::size_t pins() const { return file_system_->kept_descriptors().size(); }

  // Waits until what was answered has ended: else its last steps would be counted to the next request.
  void settle() {
    while (slots_->at(0).unique() != 0) ::usleep(100);
    ::usleep(2000);
  }
  // Waits for the answer to the last request, or for the server's death. True where it is dead; an answer may be there
  // all the same.
  bool dies() {
    for (;;) {
      if (::waitpid(worker_, nullptr, WNOHANG) == worker_) {
        armed_ = false;  // its steps are used up: the next one lives
        return true;
      }
      if (!kernel_.answered(1)) continue;
      // What comes after the answer may kill it, too. What is left of its steps says whether it has.
      const bool mortal = armed_;
      armed_ = false;
      const bool lives = !mortal || doom().steps.exchange(0) > 0 || doom().answerings.exchange(0) > 0;
      if (lives) return false;
      ::waitpid(worker_, nullptr, 0);
      return true;
    }
  }
  // What was recorded, without what differs from run to run: the journal's operations with their numbers, and the read
  // set. Kills the server.
  std::string recorded() {
    kill();
    EXPECT_TRUE(filter_->start().ok());
    EXPECT_TRUE(filter_->close().ok());
    std::string text = place_.content("journal");
    for (auto at = text.find(",\"time\""); at != std::string::npos; at = text.find(",\"time\"", at)) {
      text.erase(at, text.find(",\"operation\"", at) - at);
    }
    // Any name of a hard-link group may stand for its file.
    for (const char other : {'2', '3'}) {
      const std::string name = std::string("\"path\":\"/group/") + other;
      for (auto at = text.find(name); at != std::string::npos; at = text.find(name, at))
        text[at + name.size() - 1] = '1';
    }
    return text + place_.content("reads");
  }
  // Another one, for a dead one.
  void go_on() {
    again_ = true;
    start();
  }

 private:
  void kill() {
    if (worker_ <= 0) return;
    ::kill(worker_, SIGKILL);
    ::waitpid(worker_, nullptr, 0);
    worker_ = -1;
  }
  static inline Doom* doom_ = nullptr;
  static void on_step(const char* what) {
    if (doom_->faults.load() > 0 && std::strcmp(what, "begin") == 0) {
      doom_->faults.fetch_sub(1);
      server::mark_crashed_request();
      ::kill(::getpid(), SIGKILL);
    }
    const bool answering = std::strcmp(what, "answering") == 0;
    if (doom_->steps.load() > 0 && doom_->steps.fetch_sub(1) == 1) ::kill(::getpid(), SIGKILL);
    if (answering && doom_->answerings.load() > 0 && doom_->answerings.fetch_sub(1) == 1) ::kill(::getpid(), SIGKILL);
  }
  void start() {
    const auto forked = sys::fork_sharing_descriptors();
    ASSERT_TRUE(forked.ok());
    worker_ = *forked;
    if (worker_ != 0) return;
    if (again_) {
      std::vector<int> kept = file_system_->kept_descriptors();
      kept.insert(kept.end(), descriptors_.begin(), descriptors_.end());
      if (!sys::close_descriptors_but(kept).ok() || !file_system_->recover().ok()) ::_exit(3);
    }
    doom_ = &doom();
    sys::on_step.store(&on_step);
    if (!filter_->start().ok()) ::_exit(5);
    server::ServerOptions options;
    options.report = [this](const std::string& line) { place_.file("report", line); };
    server::Server server(*file_system_, filter_.get(), options, slots_.get());
    std::vector<fuse::Channel> channels;
    channels.emplace_back(sys::FileDescriptor(kernel_.server_end()));
    if (again_) {
      if (!server.resume(std::move(channels)).ok()) ::_exit(4);
    } else {
      server.start(std::move(channels));
    }
    static_cast<void>(server.wait());
    ::_exit(0);
  }

  // In memory where there is some: it is made some thousand times.
  TemporaryDirectory place_{::access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"};
  Kernel kernel_;
  std::unique_ptr<overlay::FileSystem> file_system_;
  std::unique_ptr<filter::Filter> filter_;
  std::unique_ptr<server::RequestSlots> slots_;
  sys::SharedMemory memory_;
  std::vector<int> descriptors_;
  pid_t worker_ = -1;
  bool again_ = false;
  bool armed_ = false;
};

}  // namespace lamina::test
