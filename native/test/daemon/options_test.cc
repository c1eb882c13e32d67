#include "daemon/options.h"

#include <gtest/gtest.h>

#include "daemon/mark_choice.h"
#include "sys/xattrs.h"
#include "test/support/temporary_directory.h"

namespace lamina::daemon {
namespace {

TEST(Arguments, TakeTheSourceThatMountNamesFirst) {
  for (const auto& [source, expected] :
       {std::pair("web", "web"), std::pair("laminafs", "laminafs"), std::pair("", "laminafs")}) {
    std::string error;
    const DaemonOptions options = parse_arguments({source, "/m", "-o", "rw,lowerdir=/a"}, error);
    EXPECT_EQ(error, "");
    EXPECT_EQ(options.source, expected);
    EXPECT_EQ(options.mountpoint, "/m");
  }
}

// What newer engines say must not keep a container from starting.
TEST(Arguments, PassSecurityContextsOn) {
  std::string error;
  const DaemonOptions options =
      parse_arguments({"-o", R"(lowerdir=/a,context="system_u:object_r:container_file_t:s0:c1,c2",volatile)", "-o",
                       R"(rootcontext=a:b,fscontext="x",lowerdir=/b\,c:/d\:e)", "/m"},
                      error);
  EXPECT_EQ(error, "");
  EXPECT_TRUE(options.warnings.empty());
  EXPECT_EQ(options.security_contexts,
            R"(,context="system_u:object_r:container_file_t:s0:c1,c2",rootcontext=a:b,fscontext="x")");
  EXPECT_FALSE(options.overlay.synchronous);
  ASSERT_EQ(options.overlay.lowers.size(), 2U);
  EXPECT_EQ(options.overlay.lowers[0].tree, "/b,c");
  EXPECT_EQ(options.overlay.lowers[1].tree, "/d:e");
}

TEST(Arguments, PassOverWhatTheyDoNotKnow) {
  std::string error;
  const DaemonOptions options =
      parse_arguments({"-o", "lowerdir=/a,,new_option=3,volatile", "--new-flag", "/m"}, error);
  EXPECT_EQ(error, "");
  EXPECT_EQ(options.warnings.size(), 2U);
  EXPECT_FALSE(options.overlay.synchronous);
}

TEST(Arguments, SayWhichHaveNoEffect) {
  std::string error;
  const DaemonOptions options = parse_arguments({"-o", "lowerdir=/a,allow_root,auto_unmount,clone_fd", "/m"}, error);
  EXPECT_EQ(error, "");
  ASSERT_EQ(options.warnings.size(), 2U);
  EXPECT_EQ(options.warnings[0],
            "option allow_root has no effect: other users, root among them, are let in by "
            "allow_other only");
  EXPECT_FALSE(options.debug);
  EXPECT_TRUE(parse_arguments({"-o", "lowerdir=/a,debug", "/m"}, error).debug);
}

TEST(Marks, AreChosenByWhatTheProcessMaySet) {
  const test::TemporaryDirectory place;
  const bool trusted = sys::set_xattr(place.descriptor(), "", "trusted.lamina", {}).ok();
  EXPECT_EQ(sys::may_set_trusted_xattrs(), trusted);
  DaemonOptions options;
  choose_marks(options);
  EXPECT_EQ(options.overlay.user_xattr, !trusted);
  options.overlay.user_xattr = true;
  choose_marks(options);
  EXPECT_TRUE(options.overlay.user_xattr);
}

}  // namespace
}  // namespace lamina::daemon
