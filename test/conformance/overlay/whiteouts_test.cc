// Removing what a lower holds; whiteouts and opaque directories of layers.
#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "support/layers.h"

namespace conformance {
namespace {

using OverlayWhiteouts = Overlay;

LAYERS(OverlayWhiteouts, ARemovedFileIsGone) {
  make_file(bottom / "f", "x");
  make_file(top / "g", "x");
}
TEST_F(OverlayWhiteouts, ARemovedFileIsGone) {
  EXPECT_OK(::unlink(here / "f"));
  EXPECT_OK(::unlink(here / "g"));
  EXPECT_FALSE(exists(here / "f"));
  EXPECT_TRUE(names(here).empty());
  EXPECT_ERRNO(ENOENT, ::open(here / "f", O_RDONLY));
  EXPECT_ERRNO(ENOENT, ::unlink(here / "f"));
  EXPECT_ERRNO(ENOENT, ::rename(here / "f", here / "h"));
}

LAYERS(OverlayWhiteouts, ARemovedNameTakesAnyKind) {
  for (const char* name : {"file", "directory", "link", "fifo", "hardlink", "renamed", "tmpfile"})
    make_file(bottom / name, "lower");
}
TEST_F(OverlayWhiteouts, ARemovedNameTakesAnyKind) {
  for (const std::string& name : names(here)) ASSERT_OK(::unlink(here / name));
  make_file(here / "file", "new");
  make_directory(here / "directory");
  make_symlink(here / "link", "target");
  ASSERT_OK(::mkfifo(here / "fifo", 0600));
  make_link(here / "file", here / "hardlink");
  make_file(here / "source", "moved");
  ASSERT_OK(::rename(here / "source", here / "renamed"));
  const FileDescriptor unnamed = opened(here, O_TMPFILE | O_RDWR);
  ASSERT_OK(::linkat(unnamed.get(), "", AT_FDCWD, here / "tmpfile", AT_EMPTY_PATH));
  EXPECT_EQ(names(here).size(), 7U);
  EXPECT_EQ(contents(here / "hardlink"), "new");
  EXPECT_EQ(contents(here / "renamed"), "moved");
  EXPECT_EQ(link_target(here / "link"), "target");
  EXPECT_TRUE(names(here / "directory").empty());
}

LAYERS(OverlayWhiteouts, ARemovedDirectoryMadeAgainIsEmpty) {
  make_directory(bottom / "d");
  make_directory(bottom / "d/sub");
  make_file(bottom / "d/f", "x");
  make_directory(top / "d");
  make_file(top / "d/g", "x");
}
TEST_F(OverlayWhiteouts, ARemovedDirectoryMadeAgainIsEmpty) {
  EXPECT_ERRNO(ENOTEMPTY, ::rmdir(here / "d"));
  remove_tree(here / "d");
  EXPECT_FALSE(exists(here / "d"));
  make_directory(here / "d");
  EXPECT_TRUE(names(here / "d").empty());
  EXPECT_FALSE(exists(here / "d/f"));
  make_directory(here / "d/sub");
  EXPECT_TRUE(names(here / "d/sub").empty());
  EXPECT_OK(::rmdir(here / "d/sub"));
  EXPECT_OK(::rmdir(here / "d"));
}

LAYERS(OverlayWhiteouts, RemovalsSurviveARemount) {
  make_file(bottom / "f", "x");
  make_directory(bottom / "d");
  make_file(bottom / "d/f", "x");
  make_directory(bottom / "again");
  make_file(bottom / "again/f", "x");
}
TEST_F(OverlayWhiteouts, RemovalsSurviveARemount) {
  if (!can_remount()) GTEST_SKIP();
  ASSERT_OK(::unlink(here / "f"));
  remove_tree(here / "d");
  remove_tree(here / "again");
  make_directory(here / "again");
  remount();
  EXPECT_EQ(names(here), std::vector<std::string>{"again"});
  EXPECT_TRUE(names(here / "again").empty());
  EXPECT_FALSE(exists(here / "again/f"));
}

LAYERS(OverlayWhiteouts, OfALayerHideWhatIsBelow) {
  make_file(bottom / "f", "x");
  make_directory(bottom / "d");
  make_file(bottom / "d/inner");
  make_file(bottom / "kept", "x");
  make_whiteout(top / "f");
  make_whiteout(top / "d");
}
TEST_F(OverlayWhiteouts, OfALayerHideWhatIsBelow) {
  EXPECT_EQ(names(here), std::vector<std::string>{"kept"});
  EXPECT_FALSE(exists(here / "f"));
  EXPECT_FALSE(exists(here / "d/inner"));
  EXPECT_ERRNO(ENOENT, ::unlink(here / "f"));
  make_file(here / "f", "new");
  make_directory(here / "d");
  EXPECT_TRUE(names(here / "d").empty());
  EXPECT_EQ(contents(here / "f"), "new");
}

LAYERS(OverlayWhiteouts, OfALayerWithNothingBelowHideThemselves) { make_whiteout(top / "f"); }
TEST_F(OverlayWhiteouts, OfALayerWithNothingBelowHideThemselves) {
  EXPECT_TRUE(names(here).empty());
  EXPECT_FALSE(exists(here / "f"));
  EXPECT_ERRNO(ENOENT, ::open(here / "f", O_RDONLY));
}

LAYERS(OverlayWhiteouts, ADirectoryThatHoldsOnlyWhiteoutsIsEmpty) {
  make_directory(bottom / "d");
  make_file(bottom / "d/f");
  make_directory(top / "d");
  make_whiteout(top / "d/f");
}
TEST_F(OverlayWhiteouts, ADirectoryThatHoldsOnlyWhiteoutsIsEmpty) {
  EXPECT_TRUE(names(here / "d").empty());
  make_directory(here / "source");
  make_file(here / "source/f", "moved");
  EXPECT_OK(::rename(here / "source", here / "d"));
  EXPECT_EQ(contents(here / "d/f"), "moved");
  ASSERT_OK(::unlink(here / "d/f"));
  EXPECT_OK(::rmdir(here / "d"));
  EXPECT_FALSE(exists(here / "d"));
}

LAYERS(OverlayWhiteouts, AnOpaqueDirectoryHidesWhatIsBelow) {
  make_directory(bottom / "d");
  make_file(bottom / "d/hidden");
  make_directory(top / "d");
  make_file(top / "d/shown");
  make_opaque(top / "d");
}
TEST_F(OverlayWhiteouts, AnOpaqueDirectoryHidesWhatIsBelow) {
  EXPECT_EQ(names(here / "d"), std::vector<std::string>{"shown"});
  EXPECT_FALSE(exists(here / "d/hidden"));
  make_file(here / "d/hidden", "new");
  EXPECT_EQ(contents(here / "d/hidden"), "new");
}

LAYERS(OverlayWhiteouts, AFileHidesADirectoryAndTheOtherWayRound) {
  make_directory(bottom / "a");
  make_file(bottom / "a/inner");
  make_file(top / "a", "file");
  make_file(bottom / "b", "file");
  make_directory(top / "b");
  make_file(top / "b/inner", "x");
}
TEST_F(OverlayWhiteouts, AFileHidesADirectoryAndTheOtherWayRound) {
  EXPECT_EQ(contents(here / "a"), "file");
  EXPECT_EQ(names(here / "b"), std::vector<std::string>{"inner"});
  ASSERT_OK(::unlink(here / "a"));
  EXPECT_FALSE(exists(here / "a"));
  make_directory(here / "a");
  EXPECT_TRUE(names(here / "a").empty());
  remove_tree(here / "b");
  EXPECT_FALSE(exists(here / "b"));
}

bool is_of_kernel(const Path& path) {
  struct statfs status {};
  require(::statfs(path, &status) == 0, "statfs of " + path.text());
  return status.f_type == OVERLAYFS_SUPER_MAGIC;
}
bool is_device(const Path& path) {
  struct stat status {};
  return ::lstat(path, &status) == 0 && S_ISCHR(status.st_mode) && status.st_rdev == makedev(0, 0);
}

LAYERS(OverlayWhiteouts, OfUsersAreDevices) {
  make_file(bottom / "f", "x");
  make_file(bottom / "h", "y");
}
TEST_F(OverlayWhiteouts, OfUsersAreDevices) {
  if (is_of_kernel(here)) {
    EXPECT_ERRNO(EPERM, ::mknod(here / "w", S_IFCHR | 0600, makedev(0, 0)));
    EXPECT_ERRNO(EINVAL, ::renameat2(AT_FDCWD, here / "f", AT_FDCWD, here / "g", RENAME_WHITEOUT));
    return;
  }
  make_directory(here / "d");
  ASSERT_OK(::mknod(here / "d/w", S_IFCHR | 0600, makedev(0, 0)));
  ASSERT_OK(::renameat2(AT_FDCWD, here / "f", AT_FDCWD, here / "g", RENAME_WHITEOUT));
  ASSERT_OK(::renameat2(AT_FDCWD, here / "g", AT_FDCWD, here / "h", RENAME_WHITEOUT));
  ASSERT_OK(::link(here / "d/w", here / "second"));
  ASSERT_OK(::rename(here / "second", here / "d/renamed"));
  const auto look = [&] {
    for (const char* name : {"d/w", "d/renamed", "f", "g"}) EXPECT_TRUE(is_device(here / name)) << name;
    EXPECT_EQ(contents(here / "h"), "x");
    EXPECT_EQ(names(here), (std::vector<std::string>{"d", "f", "g", "h"}));
    EXPECT_EQ(names(here / "d"), (std::vector<std::string>{"renamed", "w"}));
  };
  look();
  if (can_remount()) remount();
  look();
  ASSERT_OK(::unlink(here / "f"));
  ASSERT_OK(::unlink(here / "d/w"));
  make_file(here / "f", "again");
  if (can_remount()) remount();
  EXPECT_EQ(contents(here / "f"), "again");
  EXPECT_EQ(names(here / "d"), std::vector<std::string>{"renamed"});
  ASSERT_OK(::unlink(here / "d/renamed"));
  ASSERT_OK(::rmdir(here / "d"));
}

LAYERS(OverlayWhiteouts, MarksAreNotSeenAsXattrs) {
  make_directory(bottom / "opaque");
  make_directory(top / "opaque");
  make_opaque(top / "opaque");
  make_file(bottom / "f", "x");
  make_directory(bottom / "moved");
}
TEST_F(OverlayWhiteouts, MarksAreNotSeenAsXattrs) {
  ASSERT_OK(::chmod(here / "f", 0600));
  ASSERT_OK(::chmod(here / "opaque", 0700));
  ASSERT_OK(::chmod(here / "moved", 0700));
  for (const std::string& name : names(here)) {
    for (const std::string& attribute : xattr_names(here / name)) {
      EXPECT_EQ(attribute.find(".overlay."), std::string::npos) << name << " " << attribute;
    }
    EXPECT_ERRNO(ENODATA, ::getxattr(here / name, "trusted.overlay.opaque", nullptr, 0)) << name;
  }
}

LAYERS(OverlayWhiteouts, MarksSetByUsersAreJustXattrs) {
  make_directory(bottom / "d");
  make_file(bottom / "d/f", "x");
}
TEST_F(OverlayWhiteouts, MarksSetByUsersAreJustXattrs) {
  // The kernel stores them escaped (overlayfs.rst, "Nesting overlayfs mounts").
  ASSERT_OK(::setxattr(here / "d", "trusted.overlay.opaque", "y", 1, 0));
  EXPECT_EQ(xattr(here / "d", "trusted.overlay.opaque"), "y");
  const auto all = xattr_names(here / "d");
  EXPECT_EQ(std::count(all.begin(), all.end(), "trusted.overlay.opaque"), 1);
  drop_caches();
  EXPECT_EQ(names(here / "d"), std::vector<std::string>{"f"}) << "it is not obeyed";
  EXPECT_OK(::removexattr(here / "d", "trusted.overlay.opaque"));
  EXPECT_ERRNO(ENODATA, ::getxattr(here / "d", "trusted.overlay.opaque", nullptr, 0));
}

LAYERS(OverlayWhiteouts, RemovingATreeOfBothLayers) {
  for (const Path& layer : {top, bottom}) {
    make_directory(layer / "d");
    for (const char* sub : {"a", "b", "c"}) {
      make_directory(layer / "d" / sub);
      for (int number = 0; number < 20; ++number)
        make_file(layer / "d" / sub / (layer.text().substr(layer.text().size() - 3) + std::to_string(number)));
    }
  }
}
TEST_F(OverlayWhiteouts, RemovingATreeOfBothLayers) {
  make_file(here / "d/a/upper");
  remove_tree(here / "d");
  EXPECT_TRUE(names(here).empty());
}

LAYERS(OverlayWhiteouts, CreatingAndRemovingInTurn) { make_file(bottom / "f", "lower"); }
TEST_F(OverlayWhiteouts, CreatingAndRemovingInTurn) {
  for (int round = 0; round < 10; ++round) {
    ASSERT_OK(::unlink(here / "f"));
    EXPECT_FALSE(exists(here / "f"));
    make_file(here / "f", std::to_string(round));
    EXPECT_EQ(contents(here / "f"), std::to_string(round));
  }
  EXPECT_EQ(names(here).size(), 1U);
}

}  // namespace
}  // namespace conformance
