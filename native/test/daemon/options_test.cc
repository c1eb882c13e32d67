#include "daemon/options.h"

#include <gtest/gtest.h>

#include "daemon/mark_choice.h"
#include "daemon/security_contexts.h"
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

TEST(SecurityContexts, AreLeftOutWithoutSelinux) {
  EXPECT_TRUE(lists_selinux("nodev\tsysfs\nnodev\tselinuxfs\n\text4\n"));
  EXPECT_FALSE(lists_selinux("nodev\tsysfs\n\text4\nnodev\tselinuxfs2\n"));
  DaemonOptions options;
  settle_contexts(options);
  EXPECT_TRUE(options.warnings.empty());
  options.security_contexts = ",context=a";
  settle_contexts(options);
  EXPECT_EQ(options.security_contexts.empty(), options.warnings.size() == 1);
}

TEST(Arguments, PassOverWhatTheyDoNotKnow) {
  std::string error;
  const DaemonOptions options =
      parse_arguments({"-o", "lowerdir=/a,,new_option=3,volatile", "--new-flag", "/m"}, error);
  EXPECT_EQ(error, "");
  EXPECT_EQ(options.warnings.size(), 2U);
  EXPECT_FALSE(options.overlay.synchronous);
}

// All that fuse-overlayfs(1), its source (1.10 to 2.0) and its --help know, with values that change nothing here.
TEST(Arguments, KnowThoseOfFuseOverlayfs) {
  std::string error;
  const DaemonOptions options = parse_arguments(
      {"-o",
       "lowerdir=/a,redirect_dir=off,timeout=1.5,threaded=1,fsync=1,fast_ino=0,fast_ino_check=1,writeback=0,noxattrs=0,"
       "plugins=,xattr_permissions=0,static_nlink,noacl,xino=auto,ino32_t,clone_fd,max_idle_threads=10,max_threads=4,"
       "default_permissions,allow_other,suid,nosuid,dev,nodev,exec,noexec,atime,noatime,diratime,nodiratime,"
       "splice_write,splice_read,splice_move,kernel_cache,max_write=131072,ro,rw",
       "-f", "/m"},
      error);
  EXPECT_EQ(error, "");
  EXPECT_TRUE(options.warnings.empty()) << options.warnings.front();
  EXPECT_FALSE(options.overlay.redirect_dir);
  EXPECT_TRUE(options.overlay.static_nlink);
  EXPECT_TRUE(options.overlay.synchronous);
  EXPECT_FALSE(parse_arguments({"-o", "lowerdir=/a,sync=0", "/m"}, error).overlay.synchronous);
  EXPECT_EQ(error, "");
  static_cast<void>(parse_arguments({"-o", "lowerdir=/a,plugins=/p.so", "/m"}, error));
  EXPECT_EQ(error, "option plugins=/p.so is refused: layers are directories");
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
