#include "sys/process.h"

#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <thread>

namespace lamina::sys {
namespace {

// A process in a user namespace of its own, with all capabilities there, for as long as this lives.
class ProcessElsewhere {
 public:
  ProcessElsewhere() {
    if (::pipe(ready_.data()) != 0 || ::pipe(end_.data()) != 0) return;
    pid_ = ::fork();
    if (pid_ == 0) {
      ::close(end_[1]);
      char byte = ::unshare(CLONE_NEWUSER) == 0 ? 'y' : 'n';
      [[maybe_unused]] const auto written = ::write(ready_[1], &byte, 1);
      [[maybe_unused]] const auto done = ::read(end_[0], &byte, 1);
      ::_exit(0);
    }
    char byte = 0;
    made_ = ::read(ready_[0], &byte, 1) == 1 && byte == 'y';
  }
  ProcessElsewhere(const ProcessElsewhere&) = delete;
  ProcessElsewhere& operator=(const ProcessElsewhere&) = delete;
  ~ProcessElsewhere() {
    for (const int file : {ready_[0], ready_[1], end_[0], end_[1]}) ::close(file);
    ::waitpid(pid_, nullptr, 0);
  }
  bool made() const { return made_; }
  pid_t pid() const { return pid_; }

 private:
  std::array<int, 2> ready_ = {-1, -1};
  std::array<int, 2> end_ = {-1, -1};
  pid_t pid_ = -1;
  bool made_ = false;
};

TEST(SysProcess, IsRememberedWithTheNameItHasNow) {
  RecentProcesses recent;
  std::array<int, 2> go = {-1, -1};
  std::array<int, 2> done = {-1, -1};
  ASSERT_EQ(::pipe(go.data()), 0);
  ASSERT_EQ(::pipe(done.data()), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    char byte = 0;
    for (const char* name : {"before", "after"}) {
      ::prctl(PR_SET_NAME, name);
      if (::write(done[1], &byte, 1) != 1 || ::read(go[0], &byte, 1) != 1) ::_exit(1);
    }
    ::_exit(0);
  }
  char byte = 0;
  for (const char* name : {"before", "after"}) {
    ASSERT_EQ(::read(done[0], &byte, 1), 1);
    for (int again = 0; again < 2; ++again) {
      const auto process = recent.process_of(child);
      ASSERT_TRUE(process);
      EXPECT_EQ(process->pid, child);
      EXPECT_EQ(process->command, name);
    }
    ASSERT_EQ(::write(go[1], &byte, 1), 1);
  }
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_FALSE(recent.process_of(child)) << "it has ended";
  for (const int file : {go[0], go[1], done[0], done[1]}) ::close(file);
}

TEST(SysProcess, OfAThreadIsThatOfItsProcessEachTime) {
  RecentProcesses recent;
  std::thread([&] {
    ::prctl(PR_SET_NAME, "thread's own");
    for (int again = 0; again < 2; ++again) {
      const auto process = recent.process_of(static_cast<std::int32_t>(::gettid()));
      ASSERT_TRUE(process);
      EXPECT_EQ(process->pid, ::getpid());
      EXPECT_NE(process->command, "thread's own");
    }
  }).join();
}

TEST(SysProcess, HasItsCapabilitiesInItsOwnUserNamespace) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  EXPECT_TRUE(has_capability_here(::getpid(), CAP_FSETID).value());
  const WithoutCapability without(CAP_FSETID);
  EXPECT_FALSE(has_capability_here(::getpid(), CAP_FSETID).value());
}

TEST(SysProcess, HasNoCapabilityHereByThoseOfAnotherUserNamespace) {
  const ProcessElsewhere other;
  ASSERT_TRUE(other.made());
  const auto capable = has_capability_here(other.pid(), CAP_SYS_ADMIN);
  ASSERT_TRUE(capable.ok()) << capable.error().value;
  EXPECT_FALSE(*capable);
}

TEST(SysProcess, NamesTheGroupOfNewFilesAmongTheGroups) {
  const auto groups = groups_of(::getpid());
  ASSERT_TRUE(groups.ok());
  EXPECT_NE(std::find(groups->begin(), groups->end(), ::getegid()), groups->end());
  EXPECT_FALSE(groups_of(-1).ok());
}

}  // namespace
}  // namespace lamina::sys
