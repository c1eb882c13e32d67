// Which directories a stack is refused for, before anything is written into them.
#include "overlay/tree/open_writable.h"

#include <cerrno>
#include <string>

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

}  // namespace
}  // namespace lamina::overlay
