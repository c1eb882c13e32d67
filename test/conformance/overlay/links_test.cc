// Hard links that a lower holds, and links made of lower files.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/layers.h"

namespace conformance {
namespace {

// Where the driver knows which names of a lower are links of each other: by an index.
class OverlayLinks : public Overlay {
 protected:
  void SetUp() override {
    if (settings().links_apart) GTEST_SKIP() << "without an index they come apart: OverlayLinksApart";
    Overlay::SetUp();
  }
};

void make_pair(const Path& layer, const std::string& content = "content") {
  make_file(layer / "f", content);
  make_directory(layer / "d");
  make_link(layer / "f", layer / "d/g");
}

LAYERS(OverlayLinks, OfALowerAreOneFile) { make_pair(bottom); }
TEST_F(OverlayLinks, OfALowerAreOneFile) {
  EXPECT_EQ(inode(here / "f"), inode(here / "d/g"));
  EXPECT_EQ(status(here / "f").st_nlink, 2U);
}

LAYERS(OverlayLinks, AWriteThroughOneIsSeenThroughTheOther) { make_pair(bottom); }
TEST_F(OverlayLinks, AWriteThroughOneIsSeenThroughTheOther) {
  const ino_t number = inode(here / "f");
  EXPECT_EQ(contents(here / "d/g"), "content");
  overwrite(here / "f", "CON");
  EXPECT_EQ(contents(here / "d/g"), "CONtent");
  EXPECT_EQ(inode(here / "d/g"), number);
  EXPECT_EQ(status(here / "d/g").st_nlink, 2U);
}

LAYERS(OverlayLinks, ChangedAttributesAreSeenThroughTheOther) { make_pair(bottom); }
TEST_F(OverlayLinks, ChangedAttributesAreSeenThroughTheOther) {
  ASSERT_OK(::chmod(here / "d/g", 0600));
  ASSERT_OK(::chown(here / "f", 5, 6));
  set_xattr(here / "d/g", "user.k", "v");
  EXPECT_EQ(status(here / "f").st_mode & 07777, 0600U);
  EXPECT_EQ(status(here / "d/g").st_uid, 5U);
  EXPECT_EQ(xattr(here / "f", "user.k"), "v");
}

LAYERS(OverlayLinks, AWriteLeavesTheTimesOfAllTheirDirectories) {
  make_pair(bottom);
  const timespec times[2] = {{1'000'000'000, 11}, {1'100'000'000, 22}};
  require(::utimensat(AT_FDCWD, bottom / "d", times, 0) == 0, "utimensat");
}
TEST_F(OverlayLinks, AWriteLeavesTheTimesOfAllTheirDirectories) {
  overwrite(here / "f", "CON");
  drop_caches();
  EXPECT_EQ(status(here / "d").st_mtim.tv_sec, 1'100'000'000);
  EXPECT_EQ(status(here / "d").st_mtim.tv_nsec, 22);
}

LAYERS(OverlayLinks, StayLinksAfterARemount) { make_pair(bottom); }
TEST_F(OverlayLinks, StayLinksAfterARemount) {
  if (!can_remount()) GTEST_SKIP();
  overwrite(here / "f", "CON");
  remount();
  EXPECT_EQ(contents(here / "d/g"), "CONtent");
  EXPECT_EQ(inode(here / "f"), inode(here / "d/g"));
  EXPECT_EQ(status(here / "f").st_nlink, 2U);
  overwrite(here / "d/g", "con");
  EXPECT_EQ(contents(here / "f"), "content");
}

LAYERS(OverlayLinks, RemovingOneNameKeepsTheOther) { make_pair(bottom); }
TEST_F(OverlayLinks, RemovingOneNameKeepsTheOther) {
  ASSERT_OK(::unlink(here / "f"));
  EXPECT_FALSE(exists(here / "f"));
  EXPECT_EQ(contents(here / "d/g"), "content");
  EXPECT_EQ(status(here / "d/g").st_nlink, 1U);
}

LAYERS(OverlayLinks, RemovingOneNameAfterAWrite) { make_pair(bottom); }
TEST_F(OverlayLinks, RemovingOneNameAfterAWrite) {
  overwrite(here / "f", "CON");
  ASSERT_OK(::unlink(here / "f"));
  EXPECT_EQ(contents(here / "d/g"), "CONtent");
  EXPECT_EQ(status(here / "d/g").st_nlink, 1U);
  ASSERT_OK(::unlink(here / "d/g"));
  EXPECT_TRUE(names(here / "d").empty());
}

LAYERS(OverlayLinks, AThirdNameMakesThree) { make_pair(bottom); }
TEST_F(OverlayLinks, AThirdNameMakesThree) {
  ASSERT_OK(::link(here / "d/g", here / "h"));
  EXPECT_EQ(status(here / "f").st_nlink, 3U);
  EXPECT_EQ(inode(here / "h"), inode(here / "f"));
  overwrite(here / "h", "CON");
  EXPECT_EQ(contents(here / "f"), "CONtent");
  EXPECT_EQ(contents(here / "d/g"), "CONtent");
}

LAYERS(OverlayLinks, RenamingOneKeepsTheGroup) { make_pair(bottom); }
TEST_F(OverlayLinks, RenamingOneKeepsTheGroup) {
  ASSERT_OK(::rename(here / "f", here / "h"));
  EXPECT_EQ(inode(here / "h"), inode(here / "d/g"));
  overwrite(here / "h", "CON");
  EXPECT_EQ(contents(here / "d/g"), "CONtent");
  EXPECT_EQ(status(here / "h").st_nlink, 2U);
}

LAYERS(OverlayLinks, RenamingOntoItsOtherNameDoesNothing) { make_pair(bottom); }
TEST_F(OverlayLinks, RenamingOntoItsOtherNameDoesNothing) {
  EXPECT_OK(::rename(here / "f", here / "d/g"));
  EXPECT_TRUE(exists(here / "f"));
  EXPECT_TRUE(exists(here / "d/g"));
}

LAYERS(OverlayLinks, ReplacingOneKeepsTheOther) { make_pair(bottom); }
TEST_F(OverlayLinks, ReplacingOneKeepsTheOther) {
  make_file(here / "new", "new");
  ASSERT_OK(::rename(here / "new", here / "f"));
  EXPECT_EQ(contents(here / "f"), "new");
  EXPECT_EQ(contents(here / "d/g"), "content");
  EXPECT_EQ(status(here / "d/g").st_nlink, 1U);
  EXPECT_NE(inode(here / "f"), inode(here / "d/g"));
}

LAYERS(OverlayLinks, OfASingleLowerFile) { make_file(bottom / "f", "content"); }
TEST_F(OverlayLinks, OfASingleLowerFile) {
  const ino_t number = inode(here / "f");
  ASSERT_OK(::link(here / "f", here / "g"));
  EXPECT_EQ(inode(here / "f"), number);
  EXPECT_EQ(inode(here / "g"), number);
  EXPECT_EQ(status(here / "f").st_nlink, 2U);
  overwrite(here / "g", "CON");
  EXPECT_EQ(contents(here / "f"), "CONtent");
}

LAYERS(OverlayLinks, OneNameHiddenByAHigherLayer) {
  make_file(bottom / "f", "content");
  make_link(bottom / "f", bottom / "g");
  make_file(top / "f", "top");
}
TEST_F(OverlayLinks, OneNameHiddenByAHigherLayer) {
  overwrite(here / "g", "CON");
  EXPECT_EQ(contents(here / "g"), "CONtent");
  EXPECT_EQ(contents(here / "f"), "top");
  EXPECT_NE(inode(here / "f"), inode(here / "g"));
}

LAYERS(OverlayLinks, ADescriptorToOneNameSeesAWriteThroughTheOther) { make_pair(bottom); }
TEST_F(OverlayLinks, ADescriptorToOneNameSeesAWriteThroughTheOther) {
  const FileDescriptor reader = opened(here / "d/g", O_RDONLY);
  EXPECT_EQ(contents(reader.get()), "content");
  overwrite(here / "f", "CON");
  EXPECT_EQ(contents(reader.get()), "CONtent");
}

LAYERS(OverlayLinks, InADirectoryThatWasRenamed) { make_pair(bottom); }
TEST_F(OverlayLinks, InADirectoryThatWasRenamed) {
  ASSERT_OK(::rename(here / "d", here / "e"));
  overwrite(here / "f", "CON");
  EXPECT_EQ(contents(here / "e/g"), "CONtent");
  EXPECT_EQ(inode(here / "e/g"), inode(here / "f"));
}

// A layer above shows d as r.
void make_moved_pair(const Path& top, const Path& bottom, const std::string& test) {
  make_directory(bottom / "d");
  make_directory(bottom / "d/s");
  make_file(bottom / "d/s/x", "content");
  make_directory(bottom / "e");
  make_link(bottom / "d/s/x", bottom / "e/lx");
  make_whiteout(top / "d");
  make_directory(top / "r");
  set_xattr(top / "r", "trusted.overlay.redirect", "/" + test + "/d");
}

LAYERS(OverlayLinks, BelowADirectoryThatALowerHasRenamed) {
  make_moved_pair(top, bottom, "OverlayLinks.BelowADirectoryThatALowerHasRenamed");
}
TEST_F(OverlayLinks, BelowADirectoryThatALowerHasRenamed) {
  EXPECT_EQ(inode(here / "r/s/x"), inode(here / "e/lx"));
  EXPECT_EQ(status(here / "r/s/x").st_nlink, 2U);
  overwrite(here / "e/lx", "CON");
  EXPECT_EQ(contents(here / "r/s/x"), "CONtent");
  EXPECT_EQ(status(here / "r/s/x").st_nlink, 2U);
  if (!can_remount()) return;
  remount();
  EXPECT_EQ(contents(here / "r/s/x"), "CONtent");
  EXPECT_EQ(inode(here / "r/s/x"), inode(here / "e/lx"));
}

LAYERS(OverlayLinks, BelowADirectoryThatIsRenamedOnceMore) {
  make_moved_pair(top, bottom, "OverlayLinks.BelowADirectoryThatIsRenamedOnceMore");
}
TEST_F(OverlayLinks, BelowADirectoryThatIsRenamedOnceMore) {
  ASSERT_OK(::rename(here / "r", here / "again"));
  ASSERT_OK(::mkdir(here / "in", 0755));
  ASSERT_OK(::rename(here / "again/s", here / "in/t"));
  EXPECT_EQ(status(here / "e/lx").st_nlink, 2U);
  overwrite(here / "in/t/x", "CON");
  EXPECT_EQ(contents(here / "e/lx"), "CONtent");
  if (!can_remount()) return;
  remount();
  overwrite(here / "e/lx", "con");
  EXPECT_EQ(contents(here / "in/t/x"), "content");
  EXPECT_EQ(inode(here / "in/t/x"), inode(here / "e/lx"));
}

LAYERS(OverlayLinks, OneNameRemovedBelowADirectoryThatALowerHasRenamed) {
  make_moved_pair(top, bottom, "OverlayLinks.OneNameRemovedBelowADirectoryThatALowerHasRenamed");
}
TEST_F(OverlayLinks, OneNameRemovedBelowADirectoryThatALowerHasRenamed) {
  ASSERT_OK(::unlink(here / "e/lx"));
  EXPECT_EQ(status(here / "r/s/x").st_nlink, 1U);
  ASSERT_OK(::link(here / "r/s/x", here / "e/lx"));
  EXPECT_EQ(status(here / "r/s/x").st_nlink, 2U);
  overwrite(here / "e/lx", "CON");
  EXPECT_EQ(contents(here / "r/s/x"), "CONtent");
}

LAYERS(OverlayLinks, ManyNames) {
  make_file(bottom / "0", "content");
  for (int number = 1; number < 100; ++number) make_link(bottom / "0", bottom / std::to_string(number));
}
TEST_F(OverlayLinks, ManyNames) {
  overwrite(here / "50", "CON");
  for (int number = 0; number < 100; ++number) {
    ASSERT_EQ(contents(here / std::to_string(number)), "CONtent") << number;
    ASSERT_EQ(status(here / std::to_string(number)).st_nlink, 100U);
  }
}

}  // namespace
}  // namespace conformance
