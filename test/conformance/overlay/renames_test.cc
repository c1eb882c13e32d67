// Renaming what a lower holds. None of it may fail with EXDEV.
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "support/layers.h"

namespace conformance {
namespace {

using OverlayRenames = Overlay;

// d/f, d/sub/g in the layer
void make_family(const Path& layer) {
  make_directory(layer / "d");
  make_file(layer / "d/f", "f");
  make_directory(layer / "d/sub");
  make_file(layer / "d/sub/g", "g");
}

void expect_family(const Path& directory) {
  EXPECT_EQ(names(directory), (std::vector<std::string>{"f", "sub"}));
  EXPECT_EQ(contents(directory / "f"), "f");
  EXPECT_EQ(names(directory / "sub"), std::vector<std::string>{"g"});
  EXPECT_EQ(contents(directory / "sub/g"), "g");
}

LAYERS(OverlayRenames, OfALowerFile) { make_file(bottom / "f", "x", 0640); }
TEST_F(OverlayRenames, OfALowerFile) {
  const ino_t number = inode(here / "f");
  EXPECT_OK(::rename(here / "f", here / "g"));
  EXPECT_EQ(names(here), std::vector<std::string>{"g"});
  EXPECT_EQ(contents(here / "g"), "x");
  EXPECT_EQ(inode(here / "g"), number);
  EXPECT_OK(::rename(here / "g", here / "f"));
  EXPECT_EQ(contents(here / "f"), "x");
}

LAYERS(OverlayRenames, OverALowerFile) {
  make_file(bottom / "f", "f");
  make_file(bottom / "g", "g");
}
TEST_F(OverlayRenames, OverALowerFile) {
  make_file(here / "new", "new");
  EXPECT_OK(::rename(here / "new", here / "f"));
  EXPECT_OK(::rename(here / "g", here / "f"));
  EXPECT_EQ(contents(here / "f"), "g");
  EXPECT_EQ(names(here), std::vector<std::string>{"f"});
}

LAYERS(OverlayRenames, OfALowerDirectory) { make_family(bottom); }
TEST_F(OverlayRenames, OfALowerDirectory) {
  const ino_t number = inode(here / "d");
  ASSERT_OK(::rename(here / "d", here / "e"));
  EXPECT_EQ(names(here), std::vector<std::string>{"e"});
  expect_family(here / "e");
  EXPECT_EQ(inode(here / "e"), number);
  EXPECT_FALSE(exists(here / "d"));
}

LAYERS(OverlayRenames, OfAMergedDirectory) {
  make_family(bottom);
  make_directory(top / "d");
  make_file(top / "d/top", "t");
}
TEST_F(OverlayRenames, OfAMergedDirectory) {
  make_file(here / "d/upper", "u");
  ASSERT_OK(::unlink(here / "d/f"));
  ASSERT_OK(::rename(here / "d", here / "e"));
  EXPECT_EQ(names(here / "e"), (std::vector<std::string>{"sub", "top", "upper"}));
  EXPECT_EQ(contents(here / "e/sub/g"), "g");
  EXPECT_EQ(contents(here / "e/upper"), "u");
}

LAYERS(OverlayRenames, ADirectoryMovesIntoAnother) {
  make_family(bottom);
  make_directory(bottom / "other");
}
TEST_F(OverlayRenames, ADirectoryMovesIntoAnother) {
  ASSERT_OK(::rename(here / "d", here / "other/d"));
  expect_family(here / "other/d");
  ASSERT_OK(::rename(here / "other/d/sub", here / "sub"));
  EXPECT_EQ(contents(here / "sub/g"), "g");
  ASSERT_OK(::rename(here / "other", here / "third"));
  EXPECT_EQ(names(here / "third/d"), std::vector<std::string>{"f"});
}

LAYERS(OverlayRenames, TheOldNameIsFreeAndEmpty) { make_family(bottom); }
TEST_F(OverlayRenames, TheOldNameIsFreeAndEmpty) {
  ASSERT_OK(::rename(here / "d", here / "e"));
  make_directory(here / "d");
  EXPECT_TRUE(names(here / "d").empty());
  make_directory(here / "d/sub");
  EXPECT_TRUE(names(here / "d/sub").empty());
  expect_family(here / "e");
}

LAYERS(OverlayRenames, ADirectoryMadeThereDoesNotMixWithTheBottom) {
  make_family(bottom);
  make_directory(bottom / "e");
  make_file(bottom / "e/hidden");
}
TEST_F(OverlayRenames, ADirectoryMadeThereDoesNotMixWithTheBottom) {
  ASSERT_OK(::unlink(here / "e/hidden"));
  ASSERT_OK(::rename(here / "d", here / "e"));
  expect_family(here / "e");
}

LAYERS(OverlayRenames, AFreshDirectoryMovedOverALowerNameStaysItself) {
  make_directory(bottom / "d");
  make_file(bottom / "d/hidden");
}
TEST_F(OverlayRenames, AFreshDirectoryMovedOverALowerNameStaysItself) {
  ASSERT_OK(::unlink(here / "d/hidden"));
  ASSERT_OK(::rmdir(here / "d"));
  make_directory(here / "fresh");
  make_file(here / "fresh/f", "x");
  ASSERT_OK(::rename(here / "fresh", here / "d"));
  EXPECT_EQ(names(here / "d"), std::vector<std::string>{"f"});
}

LAYERS(OverlayRenames, OverAnEmptiedLowerDirectory) {
  make_family(bottom);
  make_directory(bottom / "e");
  make_file(bottom / "e/x");
}
TEST_F(OverlayRenames, OverAnEmptiedLowerDirectory) {
  EXPECT_ERRNO(ENOTEMPTY, ::rename(here / "d", here / "e"));
  ASSERT_OK(::unlink(here / "e/x"));
  EXPECT_OK(::rename(here / "d", here / "e"));
  expect_family(here / "e");
}

LAYERS(OverlayRenames, WritesAfterwardsGoToTheRightPlace) { make_family(bottom); }
TEST_F(OverlayRenames, WritesAfterwardsGoToTheRightPlace) {
  ASSERT_OK(::rename(here / "d", here / "e"));
  overwrite(here / "e/f", "F");
  overwrite(here / "e/sub/g", "G");
  make_file(here / "e/sub/new", "n");
  ASSERT_OK(::unlink(here / "e/f"));
  drop_caches();
  EXPECT_EQ(names(here / "e"), std::vector<std::string>{"sub"});
  EXPECT_EQ(contents(here / "e/sub/g"), "G");
  EXPECT_EQ(names(here / "e/sub").size(), 2U);
}

LAYERS(OverlayRenames, SurviveARemount) {
  make_family(bottom);
  make_directory(bottom / "x");
  make_file(bottom / "x/only", "x");
}
TEST_F(OverlayRenames, SurviveARemount) {
  if (!can_remount()) GTEST_SKIP();
  ASSERT_OK(::rename(here / "d", here / "x/moved"));
  ASSERT_OK(::rename(here / "x", here / "y"));
  ASSERT_OK(::rename(here / "y/only", here / "only"));
  ASSERT_OK(::rename(here / "y/moved/sub", here / "d"));
  remount();
  EXPECT_EQ(names(here), (std::vector<std::string>{"d", "only", "y"}));
  EXPECT_EQ(names(here / "y"), std::vector<std::string>{"moved"});
  EXPECT_EQ(names(here / "y/moved"), std::vector<std::string>{"f"});
  EXPECT_EQ(contents(here / "y/moved/f"), "f");
  EXPECT_EQ(names(here / "d"), std::vector<std::string>{"g"});
  EXPECT_EQ(contents(here / "d/g"), "g");
  EXPECT_EQ(contents(here / "only"), "x");
}

LAYERS(OverlayRenames, BackAndForth) { make_family(bottom); }
TEST_F(OverlayRenames, BackAndForth) {
  for (int round = 0; round < 5; ++round) {
    ASSERT_OK(::rename(here / "d", here / "e"));
    ASSERT_OK(::rename(here / "e", here / "d"));
  }
  expect_family(here / "d");
  remove_tree(here / "d");
  EXPECT_TRUE(names(here).empty());
}

LAYERS(OverlayRenames, ExchangeOfFilesOfTwoLayers) {
  make_file(bottom / "f", "bottom");
  make_file(top / "g", "top");
}
TEST_F(OverlayRenames, ExchangeOfFilesOfTwoLayers) {
  ASSERT_OK(::renameat2(AT_FDCWD, here / "f", AT_FDCWD, here / "g", RENAME_EXCHANGE));
  EXPECT_EQ(contents(here / "f"), "top");
  EXPECT_EQ(contents(here / "g"), "bottom");
  make_file(here / "u", "upper");
  ASSERT_OK(::renameat2(AT_FDCWD, here / "u", AT_FDCWD, here / "f", RENAME_EXCHANGE));
  EXPECT_EQ(contents(here / "f"), "upper");
  EXPECT_EQ(contents(here / "u"), "top");
}

LAYERS(OverlayRenames, ExchangeOfDirectories) {
  make_family(bottom);
  make_directory(top / "e");
  make_file(top / "e/other", "o");
  make_file(bottom / "file", "file");
}
TEST_F(OverlayRenames, ExchangeOfDirectories) {
  ASSERT_OK(::renameat2(AT_FDCWD, here / "d", AT_FDCWD, here / "e", RENAME_EXCHANGE));
  expect_family(here / "e");
  EXPECT_EQ(names(here / "d"), std::vector<std::string>{"other"});
  ASSERT_OK(::renameat2(AT_FDCWD, here / "e", AT_FDCWD, here / "file", RENAME_EXCHANGE));
  expect_family(here / "file");
  EXPECT_EQ(contents(here / "e"), "file");
}

LAYERS(OverlayRenames, NoreplaceSeesTheLower) {
  make_file(bottom / "f", "f");
  make_file(bottom / "gone", "x");
}
TEST_F(OverlayRenames, NoreplaceSeesTheLower) {
  make_file(here / "new", "new");
  EXPECT_ERRNO(EEXIST, ::renameat2(AT_FDCWD, here / "new", AT_FDCWD, here / "f", RENAME_NOREPLACE));
  ASSERT_OK(::unlink(here / "gone"));
  EXPECT_OK(::renameat2(AT_FDCWD, here / "new", AT_FDCWD, here / "gone", RENAME_NOREPLACE));
  EXPECT_EQ(contents(here / "gone"), "new");
}

// As much as goes into an attribute of that object, so that nothing long goes in beside it.
void fill_attributes(const Path& path) {
  for (std::size_t size = 4096; size > 3000; --size) {
    if (::lsetxattr(path, "user.large", pattern(size).data(), size, 0) == 0) return;
  }
  require(false, "lsetxattr " + path.text());
}

const std::string long_name(200, 'n');

LAYERS(OverlayRenames, WhereNoRoomIsLeftForLongMarks) {
  make_directory(bottom / long_name);
  make_family(bottom / long_name);
  make_file(bottom / long_name / "f", pattern(100'000));
  for (const char* name : {"d", "f"}) fill_attributes(bottom / long_name / name);
}
TEST_F(OverlayRenames, WhereNoRoomIsLeftForLongMarks) {
  const Path place = here / long_name;
  ASSERT_OK(::rename(place / "d", here / "e"));
  ASSERT_OK(::chmod(place / "f", 0600));
  ASSERT_OK(::rename(place / "f", here / "g"));
  const auto expect_all = [&] {
    expect_family(here / "e");
    EXPECT_TRUE(contents(here / "g") == pattern(100'000));
    EXPECT_EQ(status(here / "g").st_mode & 07777, 0600U);
    EXPECT_TRUE(names(place).empty());
    EXPECT_GT(xattr(here / "e", "user.large").size(), 3000U);
  };
  expect_all();
  if (!can_remount()) return;
  remount();
  expect_all();
}

LAYERS(OverlayRenames, OfLinksAndDevices) {
  make_symlink(bottom / "link", "target");
  require(::mkfifo(bottom / "fifo", 0600) == 0, "mkfifo");
}
TEST_F(OverlayRenames, OfLinksAndDevices) {
  EXPECT_OK(::rename(here / "link", here / "link2"));
  EXPECT_OK(::rename(here / "fifo", here / "fifo2"));
  EXPECT_EQ(link_target(here / "link2"), "target");
  EXPECT_TRUE(S_ISFIFO(status(here / "fifo2").st_mode));
  EXPECT_EQ(names(here), (std::vector<std::string>{"fifo2", "link2"}));
}

}  // namespace
}  // namespace conformance
