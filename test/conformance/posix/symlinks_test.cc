// Symbolic links.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <climits>

#include "support/scratch.h"

namespace conformance {
namespace {

using Symlinks = Scratch;

TEST_F(Symlinks, KeepTheirTargetByteForByte) {
  for (const std::string& target :
       {std::string("f"), std::string("../x//y/./"), std::string("/"), std::string("\xff\x01 "), std::string(59, 'a'),
        std::string(60, 'b'), std::string(61, 'c')}) {
    make_symlink(here / "l", target);
    EXPECT_EQ(link_target(here / "l"), target);
    const struct stat found = status(here / "l");
    EXPECT_TRUE(S_ISLNK(found.st_mode));
    EXPECT_EQ(found.st_mode & 07777, 0777U);
    EXPECT_EQ(found.st_size, static_cast<off_t>(target.size()));
    EXPECT_OK(::unlink(here / "l"));
  }
}

TEST_F(Symlinks, HoldLongTargets) {
  // 4095 is the most that a path may be; file systems with 1 KiB symlink blocks (xfs) take 1023.
  const std::string target = "/" + std::string(1022, 't');
  make_symlink(here / "l", target);
  EXPECT_EQ(link_target(here / "l"), target);
  EXPECT_ERRNO(ENAMETOOLONG, ::symlink(std::string(PATH_MAX, 't').c_str(), here / "m"));
  EXPECT_FALSE(exists(here / "m"));
}

TEST_F(Symlinks, ReadlinkCutsToTheBuffer) {
  make_symlink(here / "l", "0123456789");
  char buffer[4] = {};
  EXPECT_EQ(::readlink(here / "l", buffer, sizeof buffer), 4);
  EXPECT_EQ(std::string(buffer, 4), "0123");
  EXPECT_ERRNO(EINVAL, ::readlink(here / "l", buffer, 0));
}

TEST_F(Symlinks, OnlyLinksCanBeRead) {
  make_file(here / "f");
  char buffer[16];
  EXPECT_ERRNO(EINVAL, ::readlink(here / "f", buffer, sizeof buffer));
  EXPECT_ERRNO(EINVAL, ::readlink(here, buffer, sizeof buffer));
  EXPECT_ERRNO(ENOENT, ::readlink(here / "absent", buffer, sizeof buffer));
}

TEST_F(Symlinks, AreFollowedInThePathAndAtItsEnd) {
  make_directory(here / "d");
  make_file(here / "d/f", "x");
  make_symlink(here / "l", "d");
  make_symlink(here / "absolute", here.text() + "/d");
  make_symlink(here / "m", "l/f");
  EXPECT_EQ(contents(here / "l/f"), "x");
  EXPECT_EQ(contents(here / "absolute/f"), "x");
  EXPECT_EQ(contents(here / "m"), "x");
  EXPECT_EQ(contents(here / "l/../m"), "x");
}

TEST_F(Symlinks, ThatLoopGiveEloop) {
  make_symlink(here / "a", "b");
  make_symlink(here / "b", "a");
  make_symlink(here / "self", "self");
  struct stat found {};
  EXPECT_ERRNO(ELOOP, ::stat(here / "a", &found));
  EXPECT_ERRNO(ELOOP, ::open(here / "self/x", O_RDONLY));
  EXPECT_OK(::lstat(here / "a", &found));
}

TEST_F(Symlinks, FollowsFortyAndNoMore) {
  make_file(here / "0", "end");
  for (int number = 1; number <= 41; ++number) make_symlink(here / std::to_string(number), std::to_string(number - 1));
  EXPECT_EQ(contents(here / "40"), "end");
  EXPECT_ERRNO(ELOOP, ::open(here / "41", O_RDONLY));
}

TEST_F(Symlinks, DanglingOnesAreThereAndAbsent) {
  make_symlink(here / "l", "nowhere");
  struct stat found {};
  EXPECT_ERRNO(ENOENT, ::stat(here / "l", &found));
  EXPECT_OK(::lstat(here / "l", &found));
  EXPECT_ERRNO(ENOENT, ::open(here / "l", O_RDONLY));
  EXPECT_ERRNO(EEXIST, ::open(here / "l", O_CREAT | O_EXCL | O_WRONLY, 0644));
  EXPECT_ERRNO(EEXIST, ::mkdir(here / "l", 0755));
}

TEST_F(Symlinks, CreatingThroughADanglingOneMakesTheTarget) {
  make_directory(here / "d");
  make_symlink(here / "l", "d/f");
  append(opened(here / "l", O_CREAT | O_WRONLY, 0644).get(), "x");
  EXPECT_EQ(contents(here / "d/f"), "x");
  EXPECT_TRUE(S_ISLNK(status(here / "l").st_mode));
}

TEST_F(Symlinks, AreNotFollowedWhenAskedNotTo) {
  make_file(here / "f");
  make_symlink(here / "l", "f");
  EXPECT_ERRNO(ELOOP, ::open(here / "l", O_RDONLY | O_NOFOLLOW));
  const FileDescriptor link = opened(here / "l", O_PATH | O_NOFOLLOW);
  EXPECT_TRUE(S_ISLNK(status(link.get()).st_mode));
  char buffer[16];
  EXPECT_EQ(::readlinkat(link.get(), "", buffer, sizeof buffer), 1);
}

TEST_F(Symlinks, CanBelongToAnyone) {
  make_file(here / "f");
  make_symlink(here / "l", "f");
  EXPECT_OK(::lchown(here / "l", 7, 8));
  EXPECT_EQ(status(here / "l").st_uid, 7U);
  EXPECT_EQ(status(here / "l").st_gid, 8U);
  EXPECT_EQ(status(here / "f").st_uid, 0U);
}

TEST_F(Symlinks, ChmodByAPathChangesTheTarget) {
  make_file(here / "f", "", 0600);
  make_symlink(here / "l", "f");
  EXPECT_OK(::chmod(here / "l", 0640));
  EXPECT_EQ(status(here / "f").st_mode & 07777, 0640U);
  EXPECT_EQ(status(here / "l").st_mode & 07777, 0777U);
}

TEST_F(Symlinks, UnlinkAndRenameTakeTheLinkItself) {
  make_file(here / "f", "x");
  make_symlink(here / "l", "f");
  EXPECT_OK(::rename(here / "l", here / "m"));
  EXPECT_EQ(link_target(here / "m"), "f");
  make_file(here / "g", "new");
  EXPECT_OK(::rename(here / "g", here / "m"));
  EXPECT_TRUE(S_ISREG(status(here / "m").st_mode));
  EXPECT_EQ(contents(here / "f"), "x");
  make_symlink(here / "n", "f");
  EXPECT_OK(::unlink(here / "n"));
  EXPECT_TRUE(exists(here / "f"));
}

TEST_F(Symlinks, ToADirectoryIsNoDirectory) {
  make_directory(here / "d");
  make_symlink(here / "l", "d");
  EXPECT_ERRNO(ENOTDIR, ::rmdir(here / "l"));
  EXPECT_ERRNO(ENOTDIR, ::open(here / "l", O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  EXPECT_OK(::unlink(here / "l"));
  EXPECT_TRUE(exists(here / "d"));
}

TEST_F(Symlinks, KeepServingAfterTheTargetWasReplaced) {
  make_file(here / "f", "old");
  make_symlink(here / "l", "f");
  EXPECT_EQ(contents(here / "l"), "old");
  make_file(here / "g", "new");
  EXPECT_OK(::rename(here / "g", here / "f"));
  EXPECT_EQ(contents(here / "l"), "new");
  EXPECT_OK(::unlink(here / "l"));
  make_file(here / "h", "other");
  make_symlink(here / "l", "h");
  EXPECT_EQ(contents(here / "l"), "other");
}

}  // namespace
}  // namespace conformance
