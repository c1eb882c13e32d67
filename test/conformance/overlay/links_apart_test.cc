// Hard links that a lower holds, where no index says which of its names belong together: each name is copied up for
// itself, and the others go on showing the lower. What the kernel's overlayfs does with index=off.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include "support/layers.h"

namespace conformance {
namespace {

class OverlayLinksApart : public Overlay {
 protected:
  void SetUp() override {
    if (!settings().links_apart) GTEST_SKIP() << "with an index they stay together: OverlayLinks";
    Overlay::SetUp();
  }
  // Lets the driver know both names before the test, the other one last.
  void look_at_both() const { EXPECT_EQ(inode(here / "f"), inode(here / "d/g")); }
};

void make_two_names(const Path& layer) {
  make_file(layer / "f", "content");
  make_directory(layer / "d");
  make_link(layer / "f", layer / "d/g");
}

// What became of both names stays so after a remount.
void expect_both(const Path& here, bool can_remount, const std::string& f, const std::string& g) {
  for (const bool again : {false, true}) {
    if (again && !can_remount) return;
    if (again) remount();
    EXPECT_EQ(contents(here / "f"), f) << "remounted: " << again;
    EXPECT_EQ(contents(here / "d/g"), g) << "remounted: " << again;
  }
}

LAYERS(OverlayLinksApart, ShareANumberBeforeAWrite) { make_two_names(bottom); }
TEST_F(OverlayLinksApart, ShareANumberBeforeAWrite) {
  look_at_both();
  EXPECT_EQ(status(here / "f").st_nlink, 2U);
  EXPECT_EQ(status(here / "d/g").st_nlink, 2U);
}

LAYERS(OverlayLinksApart, AWriteGoesToTheNameThatWasUsed) { make_two_names(bottom); }
TEST_F(OverlayLinksApart, AWriteGoesToTheNameThatWasUsed) {
  look_at_both();
  overwrite(here / "f", "CON");
  expect_both(here, can_remount(), "CONtent", "content");
}

LAYERS(OverlayLinksApart, AWriteToTheOtherNameToo) { make_two_names(bottom); }
TEST_F(OverlayLinksApart, AWriteToTheOtherNameToo) {
  look_at_both();
  overwrite(here / "f", "CON");
  overwrite(here / "d/g", "c-n");
  expect_both(here, can_remount(), "CONtent", "c-ntent");
}

LAYERS(OverlayLinksApart, WhatWasSyncedIsThereAfterARemount) { make_two_names(bottom); }
TEST_F(OverlayLinksApart, WhatWasSyncedIsThereAfterARemount) {
  look_at_both();
  {
    const FileDescriptor file = opened(here / "f", O_WRONLY);
    ASSERT_EQ(::pwrite(file.get(), "CON", 3, 0), 3);
    ASSERT_OK(::fsync(file.get()));
  }
  ASSERT_OK(::unlink(here / "d/g"));
  EXPECT_EQ(contents(here / "f"), "CONtent");
  if (!can_remount()) return;
  remount();
  EXPECT_EQ(contents(here / "f"), "CONtent");
  EXPECT_FALSE(exists(here / "d/g"));
}

LAYERS(OverlayLinksApart, AWriteByADescriptorOfTheRemovedName) { make_two_names(bottom); }
TEST_F(OverlayLinksApart, AWriteByADescriptorOfTheRemovedName) {
  look_at_both();
  {
    const FileDescriptor file = opened(here / "f", O_RDWR);
    ASSERT_OK(::unlink(here / "f"));
    ASSERT_EQ(::pwrite(file.get(), "CON", 3, 0), 3);
    EXPECT_EQ(contents(file.get()), "CONtent");
  }
  EXPECT_FALSE(exists(here / "f"));
  EXPECT_EQ(contents(here / "d/g"), "content");
}

LAYERS(OverlayLinksApart, AWriteByAMapping) { make_two_names(bottom); }
TEST_F(OverlayLinksApart, AWriteByAMapping) {
  look_at_both();
  {
    const FileDescriptor file = opened(here / "f", O_RDWR);
    void* mapped = ::mmap(nullptr, 7, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
    ASSERT_NE(mapped, MAP_FAILED);
    std::memcpy(mapped, "CON", 3);
    ASSERT_OK(::msync(mapped, 7, MS_SYNC));
    ASSERT_OK(::munmap(mapped, 7));
  }
  expect_both(here, can_remount(), "CONtent", "content");
}

LAYERS(OverlayLinksApart, RemovedAndLinkedAnew) { make_two_names(bottom); }
TEST_F(OverlayLinksApart, RemovedAndLinkedAnew) {
  look_at_both();
  ASSERT_OK(::chown(here / "f", 5, 6));
  ASSERT_OK(::unlink(here / "d/g"));
  ASSERT_OK(::link(here / "f", here / "d/g"));
  EXPECT_EQ(inode(here / "f"), inode(here / "d/g"));
  EXPECT_EQ(status(here / "f").st_nlink, 2U);
  EXPECT_EQ(status(here / "d/g").st_uid, 5U);
  overwrite(here / "d/g", "CON");
  expect_both(here, can_remount(), "CONtent", "CONtent");
}

// A program that takes two names with one number for one file must not do so any more.
template <typename Change>
void expect_a_number_of_its_own(const Path& here, Change change) {
  EXPECT_EQ(inode(here / "f"), inode(here / "d/g"));
  change();
  // Asked for alone, as stat(1) does: nothing else of the file is out of date for who has changed it.
  struct statx alone {};
  ASSERT_OK(::statx(AT_FDCWD, here / "f", AT_SYMLINK_NOFOLLOW, STATX_INO, &alone));
  EXPECT_NE(alone.stx_ino, inode(here / "d/g"));
  ASSERT_OK(::statx(AT_FDCWD, here / "f", AT_SYMLINK_NOFOLLOW, STATX_NLINK, &alone));
  EXPECT_EQ(alone.stx_nlink, 1U);
  EXPECT_NE(inode(here / "f"), inode(here / "d/g"));
  EXPECT_EQ(status(here / "f").st_nlink, 1U);
  EXPECT_EQ(status(here / "d/g").st_nlink, 2U);
}

LAYERS(OverlayLinksApart, AWriteGivesANumber) { make_two_names(bottom); }
TEST_F(OverlayLinksApart, AWriteGivesANumber) {
  expect_a_number_of_its_own(here, [&] { overwrite(here / "f", "CON"); });
}
LAYERS(OverlayLinksApart, AChmodGivesANumber) { make_two_names(bottom); }
TEST_F(OverlayLinksApart, AChmodGivesANumber) {
  expect_a_number_of_its_own(here, [&] { ASSERT_OK(::chmod(here / "f", 0600)); });
  EXPECT_EQ(contents(here / "f"), "content");
}
LAYERS(OverlayLinksApart, AnAttributeGivesANumber) { make_two_names(bottom); }
TEST_F(OverlayLinksApart, AnAttributeGivesANumber) {
  expect_a_number_of_its_own(here, [&] { set_xattr(here / "f", "user.k", "v"); });
}
LAYERS(OverlayLinksApart, ATruncationGivesANumber) { make_two_names(bottom); }
TEST_F(OverlayLinksApart, ATruncationGivesANumber) {
  expect_a_number_of_its_own(here, [&] { ASSERT_OK(::truncate(here / "f", 3)); });
}
LAYERS(OverlayLinksApart, OpeningForWritingGivesANumber) { make_two_names(bottom); }
TEST_F(OverlayLinksApart, OpeningForWritingGivesANumber) {
  expect_a_number_of_its_own(here, [&] {
    const FileDescriptor file = opened(here / "f", O_WRONLY | O_APPEND);
    ASSERT_EQ(::write(file.get(), "+", 1), 1);
  });
}

LAYERS(OverlayLinksApart, AThirdNameIsOfOneOfThem) { make_two_names(bottom); }
TEST_F(OverlayLinksApart, AThirdNameIsOfOneOfThem) {
  look_at_both();
  ASSERT_OK(::link(here / "d/g", here / "h"));
  EXPECT_EQ(inode(here / "h"), inode(here / "d/g"));
  EXPECT_NE(inode(here / "h"), inode(here / "f"));
  EXPECT_EQ(status(here / "h").st_nlink, 2U);
  overwrite(here / "h", "CON");
  EXPECT_EQ(contents(here / "d/g"), "CONtent");
  EXPECT_EQ(contents(here / "f"), "content");
}

LAYERS(OverlayLinksApart, RenamingOneOntoTheOther) { make_two_names(bottom); }
TEST_F(OverlayLinksApart, RenamingOneOntoTheOther) {
  look_at_both();
  ASSERT_OK(::rename(here / "f", here / "d/g"));
  EXPECT_FALSE(exists(here / "f"));
  EXPECT_EQ(contents(here / "d/g"), "content");
  EXPECT_EQ(status(here / "d/g").st_nlink, 1U);
}

LAYERS(OverlayLinksApart, ExchangingThem) { make_two_names(bottom); }
TEST_F(OverlayLinksApart, ExchangingThem) {
  look_at_both();
  overwrite(here / "f", "CON");
  ASSERT_OK(::renameat2(AT_FDCWD, here / "f", AT_FDCWD, here / "d/g", RENAME_EXCHANGE));
  expect_both(here, can_remount(), "content", "CONtent");
}

LAYERS(OverlayLinksApart, RemovingOneLeavesTheOther) { make_two_names(bottom); }
TEST_F(OverlayLinksApart, RemovingOneLeavesTheOther) {
  look_at_both();
  ASSERT_OK(::unlink(here / "f"));
  EXPECT_FALSE(exists(here / "f"));
  EXPECT_EQ(contents(here / "d/g"), "content");
  ASSERT_OK(::unlink(here / "d/g"));
  EXPECT_TRUE(names(here / "d").empty());
}

LAYERS(OverlayLinksApart, InADirectoryThatWasRenamed) { make_two_names(bottom); }
TEST_F(OverlayLinksApart, InADirectoryThatWasRenamed) {
  look_at_both();
  ASSERT_OK(::rename(here / "d", here / "e"));
  overwrite(here / "e/g", "CON");
  EXPECT_EQ(contents(here / "e/g"), "CONtent");
  EXPECT_EQ(contents(here / "f"), "content");
  if (!can_remount()) return;
  remount();
  EXPECT_EQ(contents(here / "e/g"), "CONtent");
  EXPECT_EQ(contents(here / "f"), "content");
}

LAYERS(OverlayLinksApart, ASymlinkWithTwoNames) {
  make_symlink(bottom / "f", "target");
  make_directory(bottom / "d");
  require(::linkat(AT_FDCWD, bottom / "f", AT_FDCWD, bottom / "d/g", 0) == 0, "linkat of a symlink");
}
TEST_F(OverlayLinksApart, ASymlinkWithTwoNames) {
  look_at_both();
  ASSERT_OK(::lchown(here / "f", 5, 6));
  EXPECT_EQ(link_target(here / "f"), "target");
  struct stat other {};
  ASSERT_OK(::lstat(here / "d/g", &other));
  EXPECT_EQ(other.st_uid, 0U);
  ASSERT_OK(::unlink(here / "d/g"));
  if (!can_remount()) return;
  remount();
  struct stat same {};
  ASSERT_OK(::lstat(here / "f", &same));
  EXPECT_EQ(same.st_uid, 5U);
}

}  // namespace
}  // namespace conformance
