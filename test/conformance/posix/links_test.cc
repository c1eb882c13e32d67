// Hard links and removal of names.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/scratch.h"

namespace conformance {
namespace {

using Links = Scratch;

TEST_F(Links, AreOneFileWithTwoNames) {
  make_file(here / "f", "x", 0640);
  EXPECT_OK(::link(here / "f", here / "g"));
  EXPECT_EQ(inode(here / "f"), inode(here / "g"));
  EXPECT_EQ(status(here / "f").st_nlink, 2U);
  EXPECT_EQ(status(here / "g").st_nlink, 2U);
}

TEST_F(Links, ShareContentAndMetadata) {
  make_file(here / "f", "old");
  make_link(here / "f", here / "g");
  overwrite(here / "g", "newer");
  EXPECT_EQ(contents(here / "f"), "newer");
  EXPECT_EQ(status(here / "f").st_size, 5);
  EXPECT_OK(::chmod(here / "f", 0601));
  EXPECT_OK(::chown(here / "g", 3, 4));
  EXPECT_EQ(status(here / "g").st_mode & 07777, 0601U);
  EXPECT_EQ(status(here / "f").st_uid, 3U);
  set_xattr(here / "f", "user.k", "v");
  EXPECT_EQ(xattr(here / "g", "user.k"), "v");
}

TEST_F(Links, RemovingOneNameKeepsTheOther) {
  make_file(here / "f", "x");
  make_link(here / "f", here / "g");
  const struct stat before_removal = status(here / "g");
  let_time_pass();
  EXPECT_OK(::unlink(here / "f"));
  EXPECT_FALSE(exists(here / "f"));
  EXPECT_EQ(contents(here / "g"), "x");
  EXPECT_EQ(status(here / "g").st_nlink, 1U);
  EXPECT_TRUE(before(before_removal.st_ctim, status(here / "g").st_ctim)) << "unlinking changes the ctime";
}

TEST_F(Links, AcrossDirectories) {
  make_directory(here / "a");
  make_directory(here / "b");
  make_file(here / "a/f", "x");
  make_link(here / "a/f", here / "b/g");
  EXPECT_OK(::rename(here / "b/g", here / "a/h"));
  EXPECT_EQ(inode(here / "a/f"), inode(here / "a/h"));
  drop_caches();
  EXPECT_EQ(inode(here / "a/f"), inode(here / "a/h"));
  EXPECT_EQ(status(here / "a/h").st_nlink, 2U);
}

TEST_F(Links, ADirectoryCannotBeLinked) {
  make_directory(here / "d");
  EXPECT_ERRNO(EPERM, ::link(here / "d", here / "e"));
  EXPECT_FALSE(exists(here / "e"));
}

TEST_F(Links, AnExistingNameIsRefused) {
  make_file(here / "f", "f");
  make_file(here / "g", "g");
  make_directory(here / "d");
  EXPECT_ERRNO(EEXIST, ::link(here / "f", here / "g"));
  EXPECT_ERRNO(EEXIST, ::link(here / "f", here / "d"));
  EXPECT_ERRNO(EEXIST, ::link(here / "f", here / "f"));
  EXPECT_EQ(status(here / "f").st_nlink, 1U);
  EXPECT_EQ(contents(here / "g"), "g");
}

TEST_F(Links, AbsentSourceOrDirectory) {
  make_file(here / "f");
  EXPECT_ERRNO(ENOENT, ::link(here / "absent", here / "g"));
  EXPECT_ERRNO(ENOENT, ::link(here / "f", here / "d/g"));
  EXPECT_ERRNO(ENOTDIR, ::link(here / "f", here / "f/g"));
}

TEST_F(Links, ToASymlinkLinkTheSymlink) {
  make_file(here / "f");
  make_symlink(here / "l", "f");
  EXPECT_OK(::link(here / "l", here / "m"));
  EXPECT_EQ(link_target(here / "m"), "f");
  EXPECT_EQ(inode(here / "l"), inode(here / "m"));
  EXPECT_EQ(status(here / "f").st_nlink, 1U);
  EXPECT_OK(::linkat(AT_FDCWD, here / "l", AT_FDCWD, here / "n", AT_SYMLINK_FOLLOW));
  EXPECT_EQ(inode(here / "n"), inode(here / "f"));
}

TEST_F(Links, ByDescriptor) {
  make_file(here / "f", "x");
  const FileDescriptor file = opened(here / "f", O_RDONLY);
  EXPECT_OK(::linkat(file.get(), "", AT_FDCWD, here / "g", AT_EMPTY_PATH));
  const std::string in_proc = "/proc/self/fd/" + std::to_string(file.get());
  EXPECT_OK(::linkat(AT_FDCWD, in_proc.c_str(), AT_FDCWD, here / "h", AT_SYMLINK_FOLLOW));
  EXPECT_EQ(status(file.get()).st_nlink, 3U);
  EXPECT_EQ(inode(here / "h"), inode(here / "f"));
}

TEST_F(Links, AFileWithoutNamesCannotGetOneBack) {
  make_file(here / "f", "x");
  const FileDescriptor file = opened(here / "f", O_RDWR);
  EXPECT_OK(::unlink(here / "f"));
  EXPECT_ERRNO(ENOENT, ::linkat(file.get(), "", AT_FDCWD, here / "g", AT_EMPTY_PATH));
  EXPECT_FALSE(exists(here / "g"));
}

TEST_F(Links, BetweenFileSystemsAreRefused) {
  make_file(here / "f");
  EXPECT_ERRNO(EXDEV, ::link(here / "f", "/dev/conformance-link"));
  EXPECT_ERRNO(EXDEV, ::rename(here / "f", "/dev/conformance-link"));
}

TEST_F(Links, Thousands) {
  make_file(here / "f", "x");
  for (int number = 0; number < 1000; ++number) make_link(here / "f", here / std::to_string(number));
  EXPECT_EQ(status(here / "f").st_nlink, 1001U);
  EXPECT_EQ(contents(here / "999"), "x");
  for (int number = 0; number < 1000; ++number) ASSERT_OK(::unlink(here / std::to_string(number)));
  EXPECT_EQ(status(here / "f").st_nlink, 1U);
}

TEST_F(Links, OfSpecialFiles) {
  ASSERT_OK(::mknod(here / "fifo", S_IFIFO | 0644, 0));
  EXPECT_OK(::link(here / "fifo", here / "other"));
  EXPECT_EQ(inode(here / "fifo"), inode(here / "other"));
}

TEST_F(Links, LinkingChangesTheCtimeOnly) {
  make_file(here / "f");
  const struct stat was = status(here / "f");
  let_time_pass();
  make_link(here / "f", here / "g");
  const struct stat is = status(here / "f");
  EXPECT_TRUE(before(was.st_ctim, is.st_ctim));
  EXPECT_TRUE(same_time(was.st_mtim, is.st_mtim));
}

TEST_F(Links, UnlinkingWhatIsNotThereOrADirectory) {
  make_directory(here / "d");
  EXPECT_ERRNO(ENOENT, ::unlink(here / "absent"));
  EXPECT_ERRNO(EISDIR, ::unlink(here / "d"));
  EXPECT_ERRNO(ENOENT, ::unlink(here / "absent/f"));
}

TEST_F(Links, ANameMadeAgainIsAnotherFile) {
  make_file(here / "f", "old");
  const FileDescriptor old = opened(here / "f", O_RDONLY);
  EXPECT_OK(::unlink(here / "f"));
  make_file(here / "f", "new");
  EXPECT_EQ(contents(old.get()), "old");
  EXPECT_EQ(contents(here / "f"), "new");
  EXPECT_NE(status(old.get()).st_ino, inode(here / "f"));
}

}  // namespace
}  // namespace conformance
