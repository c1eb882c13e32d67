// Extended attributes that a lower holds, through every kind of copy-up.
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>

#include "support/layers.h"

namespace conformance {
namespace {

using OverlayXattrs = Overlay;

const std::vector<std::string> kinds{"directory", "fifo", "file", "link", "null"};

LAYERS(OverlayXattrs, OfEveryKindGoAlong) {
  make_directory(bottom / "directory");
  require(::mkfifo(bottom / "fifo", 0600) == 0, "mkfifo");
  make_file(bottom / "file", "content");
  make_symlink(bottom / "link", "nowhere");
  require(::mknod(bottom / "null", S_IFCHR | 0600, makedev(1, 3)) == 0, "mknod");
  for (const std::string& name : kinds) {
    set_xattr(bottom / name, "trusted.k", "of " + name);
    set_xattr(bottom / name, "trusted.gone", "x");
  }
}
TEST_F(OverlayXattrs, OfEveryKindGoAlong) {
  for (const std::string& name : kinds) {
    EXPECT_EQ(xattr(here / name, "trusted.k"), "of " + name);
    EXPECT_OK(::lchown(here / name, 5, 6));
    EXPECT_EQ(xattr(here / name, "trusted.k"), "of " + name) << "after the copy-up";
    EXPECT_OK(::lremovexattr(here / name, "trusted.gone"));
    set_xattr(here / name, "trusted.new", "new");
  }
  drop_caches();
  for (const std::string& name : kinds) {
    std::vector<std::string> found = xattr_names(here / name);
    std::erase_if(found, [](const std::string& each) { return !each.starts_with("trusted."); });
    EXPECT_EQ(found, (std::vector<std::string>{"trusted.k", "trusted.new"})) << name;
  }
}

LAYERS(OverlayXattrs, RemovingOneCopiesUp) {
  for (const std::string name : {"file", "link"}) {
    name == "file" ? make_file(bottom / name, "content") : make_symlink(bottom / name, "nowhere");
    set_xattr(bottom / name, "trusted.k", "v");
  }
}
TEST_F(OverlayXattrs, RemovingOneCopiesUp) {
  for (const char* name : {"file", "link"}) {
    EXPECT_OK(::lremovexattr(here / name, "trusted.k"));
    EXPECT_ERRNO(ENODATA, ::lgetxattr(here / name, "trusted.k", nullptr, 0));
  }
  EXPECT_EQ(contents(here / "file"), "content");
  EXPECT_EQ(link_target(here / "link"), "nowhere");
}

LAYERS(OverlayXattrs, LargeAndManyGoAlong) {
  make_file(bottom / "large", "content");
  set_xattr(bottom / "large", "user.large", pattern(3000));
  make_file(bottom / "many", "content");
  for (int number = 0; number < 60; ++number) {
    set_xattr(bottom / "many", "user.k" + std::to_string(number), std::to_string(number));
  }
}
TEST_F(OverlayXattrs, LargeAndManyGoAlong) {
  for (const char* name : {"large", "many"}) ASSERT_OK(::chmod(here / name, 0600));
  overwrite(here / "many", "CON");
  EXPECT_TRUE(xattr(here / "large", "user.large") == pattern(3000));
  for (int number = 0; number < 60; ++number) {
    EXPECT_EQ(xattr(here / "many", "user.k" + std::to_string(number)), std::to_string(number));
  }
}

LAYERS(OverlayXattrs, AFlagThatForbidsChangesNothing) {
  make_file(bottom / "f", "content");
  set_xattr(bottom / "f", "user.k", "v");
}
TEST_F(OverlayXattrs, AFlagThatForbidsChangesNothing) {
  EXPECT_ERRNO(EEXIST, ::lsetxattr(here / "f", "user.k", "w", 1, XATTR_CREATE));
  EXPECT_ERRNO(ENODATA, ::lsetxattr(here / "f", "user.other", "w", 1, XATTR_REPLACE));
  EXPECT_ERRNO(ENODATA, ::lremovexattr(here / "f", "user.other"));
  EXPECT_EQ(xattr(here / "f", "user.k"), "v");
}

}  // namespace
}  // namespace conformance
