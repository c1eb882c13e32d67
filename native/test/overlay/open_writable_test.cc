// Which directories a stack is refused for, before anything is written into them.
#include "overlay/tree/open_writable.h"

#include <fcntl.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <string>
#include <thread>

#include "sys/data.h"
#include "sys/open.h"
#include "test/support/temporary_directory.h"

namespace lamina::overlay {
namespace {

class OpenWritableTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"lower/in", "second/in", "upper/in", "work/in"}) place_.directory(name);
    place_.symlink("alias", place_.path("upper"));
  }

  // What is said of directories of these names; empty: they are taken.
  std::string said(const std::string& lower, const std::string& upper, const std::string& work) {
    Options options;
    options.lowers = {{place_.path("second"), ""}, {place_.path(lower), ""}};
    options.upper = place_.path(upper);
    options.work = place_.path(work);
    options.user_xattr = true;
    options.whiteout_files = of_an_engine_;
    std::string explanation;
    const auto opened = open_writable(options, MarkNames(true), explanation);
    EXPECT_EQ(opened.failed_with(EINVAL), !explanation.empty());
    return explanation;
  }

  std::string inside(const std::string& inner_name, const std::string& inner, const std::string& outer_name,
                     const std::string& outer) {
    return inner_name + " " + place_.path(inner) + " lies inside " + outer_name + " " + place_.path(outer) +
           "; give it a directory of its own";
  }

  // How many descriptors this process has of a directory.
  [[nodiscard]] int descriptors_of(const std::string& name) const {
    int found = 0;
    std::error_code gone;
    for (const auto& each : std::filesystem::directory_iterator("/proc/self/fd"))
      if (std::filesystem::read_symlink(each.path(), gone) == place_.path(name)) ++found;
    return found;
  }

  test::TemporaryDirectory place_;
  bool of_an_engine_ = false;
};

TEST_F(OpenWritableTest, TakesDirectoriesApart) { EXPECT_EQ(said("lower", "upper", "work"), ""); }

TEST_F(OpenWritableTest, RefusesOneThatLiesInsideAnother) {
  EXPECT_EQ(said("lower", "upper", "upper/in"), inside("work", "upper/in", "upper", "upper"));
  EXPECT_EQ(said("lower", "work/in", "work"), inside("upper", "work/in", "work", "work"));
  EXPECT_EQ(said("lower", "lower/in", "work"), inside("upper", "lower/in", "lower", "lower"));
  EXPECT_EQ(said("upper/in", "upper", "work"), inside("lower", "upper/in", "upper", "upper"));
  EXPECT_EQ(said("lower", "upper", "second/in"), inside("work", "second/in", "lower", "second"));
}

// `podman run -v ~:/home:O` of a user whose storage is in that home.
TEST_F(OpenWritableTest, TakesAnUpperBelowALowerOfAnEngine) {
  of_an_engine_ = true;
  EXPECT_EQ(said("lower", "lower/in", "work"), "");
  EXPECT_EQ(said("lower", "upper", "second/in"), "");
  EXPECT_EQ(said("lower", "lower", "work"), inside("upper", "lower", "lower", "lower"));
  EXPECT_EQ(said("upper/in", "upper", "work"), inside("lower", "upper/in", "upper", "upper"));
  EXPECT_EQ(said("lower", "upper", "upper/in"), inside("work", "upper/in", "upper", "upper"));
}

TEST_F(OpenWritableTest, KnowsADirectoryByAnyOfItsPaths) {
  EXPECT_NE(said("lower", "upper", "alias/in"), "");
  EXPECT_NE(said("alias", "upper", "work"), "");
}

// A container is taken from containerd by removing a symlink on the path, under the lock that is waited for here.
TEST_F(OpenWritableTest, TakesNothingThatWasTakenAwayWhileItWaitedForTheLock) {
  for (const char* name : {"node/tree", "node/work", "other/tree", "other/work"}) place_.directory(name);
  for (const bool is_replaced : {false, true}) {
    place_.symlink("grant", "node");
    Options options;
    options.lowers = {{place_.path("lower"), ""}};
    options.upper = place_.path("grant/tree");
    options.work = place_.path("grant/work");
    options.user_xattr = true;
    std::string explanation;
    int error = 0;
    std::thread opening;
    {
      const auto work = sys::open_path(place_.path("node/work"), O_RDONLY | O_DIRECTORY);
      // It waits for a lock that is only shared.
      ASSERT_TRUE(work && sys::try_lock(work->get(), sys::Lock::shared).ok());
      opening = std::thread([&] {
        const auto opened = open_writable(options, MarkNames(true), explanation);
        error = opened ? 0 : opened.error().value;
      });
      const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
      while (descriptors_of("node/work") < 2 && std::chrono::steady_clock::now() < until) std::this_thread::yield();
      std::filesystem::remove(place_.path("grant"));
      if (is_replaced) place_.symlink("grant", "other");
    }
    opening.join();
    EXPECT_EQ(error, is_replaced ? ESTALE : ENOENT) << explanation;
    EXPECT_FALSE(std::filesystem::exists(place_.path("node/work/work")));
    std::filesystem::remove(place_.path("grant"));
  }
}

}  // namespace
}  // namespace lamina::overlay
