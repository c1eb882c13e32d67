// Running programs from the file system.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "support/helper.h"
#include "support/scratch.h"

namespace conformance {
namespace {

using Execution = Scratch;

TEST_F(Execution, RunsAProgram) {
  install_helper(here / "program");
  EXPECT_EQ(execute_helper(here / "program", {"exit", "7"}), 7);
  drop_caches();
  EXPECT_EQ(execute_helper(here / "program", {"exit", "8"}), 8);
}

TEST_F(Execution, SetuidAndSetgidWork) {
  install_helper(here / "program");
  ASSERT_OK(::chown(here / "program", 77, 88));
  ASSERT_OK(::chmod(here / "program", 06755));
  EXPECT_EQ(execute_helper(here / "program", {"effective-user"}), 77);
  EXPECT_EQ(execute_helper(here / "program", {"effective-group"}), 88);
  ASSERT_OK(::chmod(here / "program", 0755));
  EXPECT_EQ(execute_helper(here / "program", {"effective-user"}), 0);
}

TEST_F(Execution, RunsScripts) {
  make_file(here / "script", "#!/bin/sh\nexit 9\n", 0755);
  const int state = std::system((here / "script").c_str());
  EXPECT_EQ(WEXITSTATUS(state), 9);
}

TEST_F(Execution, ARunningProgramCannotBeWritten) {
  install_helper(here / "program");
  int ends[2];
  ASSERT_OK(::pipe2(ends, O_CLOEXEC));
  Child running([&]() -> long {
    if (::dup2(ends[0], STDIN_FILENO) < 0) return -1;
    ::execl(here / "program", "program", "--helper", "wait", nullptr);
    return -1;
  });
  const Path executable("/proc/" + std::to_string(running.pid()) + "/exe");
  for (int round = 0; round < 500 && !link_target(executable).ends_with("/program"); ++round) ::usleep(10'000);
  EXPECT_ERRNO(ETXTBSY, ::open(here / "program", O_WRONLY));
  EXPECT_ERRNO(ETXTBSY, ::truncate(here / "program", 0));
  EXPECT_OK(::unlink(here / "program")) << "but it can be replaced";
  ::close(ends[1]);
  EXPECT_EQ(running.wait_for_signal(), 0);
  ::close(ends[0]);
}

TEST_F(Execution, AFileOpenForWritingCannotBeRun) {
  install_helper(here / "program");
  const FileDescriptor writing = opened(here / "program", O_WRONLY);
  EXPECT_EQ(execute_helper(here / "program", {"exit", "0"}), 254) << "ETXTBSY";
}

TEST_F(Execution, NeedsTheExecuteBit) {
  install_helper(here / "program");
  ASSERT_OK(::chmod(here / "program", 0644));
  EXPECT_EQ(execute_helper(here / "program", {"exit", "0"}), 253) << "EACCES";
}

TEST_F(Execution, WithoutTheRightToRead) {
  install_helper(here / "program");
  ASSERT_OK(::chmod(here / "program", 0711));
  EXPECT_OK(as(alice, [&]() -> long {
    const pid_t child = ::fork();
    if (child == 0) {
      ::execl(here / "program", "program", "--helper", "exit", "5", nullptr);
      ::_exit(1);
    }
    int state = 0;
    if (::waitpid(child, &state, 0) != child) return -1;
    errno = EBADMSG;
    return WEXITSTATUS(state) == 5 ? 0 : -1;
  }));
}

TEST_F(Execution, ByDescriptor) {
  install_helper(here / "program");
  const FileDescriptor program = opened(here / "program", O_PATH);
  ASSERT_OK(::unlink(here / "program"));
  EXPECT_EQ(execute_helper(Path("/proc/self/fd/" + std::to_string(program.get())), {"exit", "6"}), 6);
}

TEST_F(Execution, InAChangedRoot) {
  install_helper(here / "program");
  EXPECT_OK(in_child([&]() -> long {
    if (::chroot(here) != 0 || ::chdir("/") != 0) return -1;
    make_file(Path("/made"), "x");
    struct stat found {};
    if (::stat("/../made", &found) != 0) return -1;
    errno = EBADMSG;
    return names(Path("/")).size() == 2 ? 0 : -1;
  }));
  EXPECT_EQ(contents(here / "made"), "x");
}

}  // namespace
}  // namespace conformance
