// O_TMPFILE: files that start without a name.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/scratch.h"

namespace conformance {
namespace {

using Tmpfile = Scratch;

FileDescriptor unnamed(const Path& directory, mode_t mode = 0644, int flags = 0) {
  return opened(directory, O_TMPFILE | O_RDWR | flags, mode);
}

TEST_F(Tmpfile, HasNoNameAndNoLinks) {
  const FileDescriptor file = unnamed(here);
  append(file.get(), "content");
  EXPECT_EQ(contents(file.get()), "content");
  EXPECT_EQ(status(file.get()).st_nlink, 0U);
  EXPECT_TRUE(S_ISREG(status(file.get()).st_mode));
  EXPECT_TRUE(names(here).empty());
}

TEST_F(Tmpfile, GetsANameByItsDescriptor) {
  const FileDescriptor file = unnamed(here, 0640);
  append(file.get(), "content");
  EXPECT_OK(::linkat(file.get(), "", AT_FDCWD, here / "f", AT_EMPTY_PATH));
  EXPECT_EQ(contents(here / "f"), "content");
  EXPECT_EQ(inode(here / "f"), status(file.get()).st_ino);
  EXPECT_EQ(status(here / "f").st_nlink, 1U);
  EXPECT_EQ(status(here / "f").st_mode & 07777, 0640U);
}

TEST_F(Tmpfile, GetsANameThroughProc) {
  const FileDescriptor file = unnamed(here);
  append(file.get(), "content");
  const std::string in_proc = "/proc/self/fd/" + std::to_string(file.get());
  EXPECT_OK(::linkat(AT_FDCWD, in_proc.c_str(), AT_FDCWD, here / "f", AT_SYMLINK_FOLLOW));
  append(file.get(), "!");
  EXPECT_EQ(contents(here / "f"), "content!");
  drop_caches();
  EXPECT_EQ(contents(here / "f"), "content!");
}

TEST_F(Tmpfile, ExclusiveOnesNeverGetAName) {
  const FileDescriptor file = unnamed(here, 0644, O_EXCL);
  append(file.get(), "content");
  EXPECT_ERRNO(ENOENT, ::linkat(file.get(), "", AT_FDCWD, here / "f", AT_EMPTY_PATH));
  EXPECT_EQ(contents(file.get()), "content");
}

TEST_F(Tmpfile, LinkingRefusesANameThatExists) {
  make_file(here / "f", "old");
  const FileDescriptor file = unnamed(here);
  EXPECT_ERRNO(EEXIST, ::linkat(file.get(), "", AT_FDCWD, here / "f", AT_EMPTY_PATH));
  EXPECT_EQ(contents(here / "f"), "old");
}

TEST_F(Tmpfile, SeveralAreSeveral) {
  const FileDescriptor one = unnamed(here), two = unnamed(here);
  append(one.get(), "one");
  append(two.get(), "two");
  EXPECT_EQ(contents(one.get()), "one");
  EXPECT_EQ(contents(two.get()), "two");
  EXPECT_NE(status(one.get()).st_ino, status(two.get()).st_ino);
}

TEST_F(Tmpfile, BelongsToTheCaller) {
  EXPECT_OK(as(alice, [&]() -> long {
    const FileDescriptor file = unnamed(here, 0600);
    const std::string in_proc = "/proc/self/fd/" + std::to_string(file.get());
    return ::linkat(AT_FDCWD, in_proc.c_str(), AT_FDCWD, here / "f", AT_SYMLINK_FOLLOW);
  }));
  EXPECT_EQ(status(here / "f").st_uid, alice.uid);
  EXPECT_EQ(status(here / "f").st_gid, alice.gid);
}

TEST_F(Tmpfile, ObeysTheUmaskAndSetgidDirectories) {
  make_directory(here / "d", 02777);
  EXPECT_OK(::chown(here / "d", 0, 2000));
  EXPECT_OK(as(alice, [&]() -> long {
    ::umask(027);
    const FileDescriptor file = unnamed(here / "d", 0666);
    const struct stat found = status(file.get());
    errno = EBADMSG;
    return (found.st_mode & 07777) == 0640 && found.st_gid == 2000 ? 0 : -1;
  }));
}

TEST_F(Tmpfile, NeedsAWritableDirectoryAndWriting) {
  make_directory(here / "d", 0755);
  EXPECT_ERRNO(EACCES, as(alice, [&]() -> long { return ::open(here / "d", O_TMPFILE | O_RDWR, 0644); }));
  EXPECT_ERRNO(EINVAL, ::open(here, O_TMPFILE | O_RDONLY, 0644));
  make_file(here / "f");
  EXPECT_ERRNO(ENOTDIR, ::open(here / "f", O_TMPFILE | O_RDWR, 0644));
  EXPECT_ERRNO(ENOENT, ::open(here / "absent", O_TMPFILE | O_RDWR, 0644));
}

TEST_F(Tmpfile, TakesAttributesBeforeItsName) {
  const FileDescriptor file = unnamed(here);
  EXPECT_OK(::fchmod(file.get(), 04711));
  EXPECT_OK(::fchown(file.get(), 0, 5));
  EXPECT_OK(::ftruncate(file.get(), 100));
  EXPECT_OK(::linkat(file.get(), "", AT_FDCWD, here / "f", AT_EMPTY_PATH));
  EXPECT_EQ(status(here / "f").st_gid, 5U);
  EXPECT_EQ(status(here / "f").st_size, 100);
}

TEST_F(Tmpfile, ANameOnceGivenIsAName) {
  const FileDescriptor file = unnamed(here);
  append(file.get(), "x");
  ASSERT_OK(::linkat(file.get(), "", AT_FDCWD, here / "f", AT_EMPTY_PATH));
  EXPECT_OK(::link(here / "f", here / "g"));
  EXPECT_OK(::unlink(here / "f"));
  EXPECT_EQ(status(file.get()).st_nlink, 1U);
  EXPECT_OK(::rename(here / "g", here / "h"));
  EXPECT_EQ(contents(here / "h"), "x");
}

}  // namespace
}  // namespace conformance
