// What must be the same after the file system was unmounted and mounted again.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "support/scratch.h"

namespace conformance {
namespace {

using Persistence = Remounted;

void expect_same(const struct stat& was, const struct stat& is) {
  EXPECT_EQ(is.st_ino, was.st_ino);
  EXPECT_EQ(is.st_mode, was.st_mode);
  EXPECT_EQ(is.st_uid, was.st_uid);
  EXPECT_EQ(is.st_gid, was.st_gid);
  EXPECT_EQ(is.st_nlink, was.st_nlink);
  EXPECT_EQ(is.st_size, was.st_size);
  EXPECT_EQ(is.st_rdev, was.st_rdev);
  EXPECT_TRUE(same_time(is.st_mtim, was.st_mtim));
}

TEST_F(Persistence, OfFilesOfEveryKind) {
  make_file(here / "file", pattern(100'000), 0640);
  make_directory(here / "directory", 01751);
  make_symlink(here / "link", "target");
  ASSERT_OK(::mkfifo(here / "fifo", 0600));
  ASSERT_OK(::mknod(here / "device", S_IFBLK | 0600, makedev(7, 300)));
  const timespec times[2] = {{1'000'000'000, 5}, {1'100'000'000, 6}};
  for (const std::string& name : names(here)) {
    ASSERT_OK(::lchown(here / name, 3, 4));
    ASSERT_OK(::utimensat(AT_FDCWD, here / name, times, AT_SYMLINK_NOFOLLOW));
  }
  std::vector<struct stat> was;
  for (const std::string& name : names(here)) was.push_back(status(here / name));
  remount();
  const std::vector<std::string> all = names(here);
  ASSERT_EQ(all.size(), was.size());
  for (std::size_t at = 0; at < all.size(); ++at) {
    SCOPED_TRACE(all[at]);
    expect_same(was[at], status(here / all[at]));
  }
  EXPECT_TRUE(contents(here / "file") == pattern(100'000));
  EXPECT_EQ(link_target(here / "link"), "target");
}

TEST_F(Persistence, OfHardLinks) {
  make_file(here / "f", "x");
  make_directory(here / "d");
  make_link(here / "f", here / "d/g");
  const struct stat was = status(here / "f");
  remount();
  expect_same(was, status(here / "f"));
  expect_same(was, status(here / "d/g"));
  overwrite(here / "f", "y");
  EXPECT_EQ(contents(here / "d/g"), "y");
}

TEST_F(Persistence, OfXattrs) {
  make_file(here / "f");
  make_symlink(here / "l", "t");
  set_xattr(here / "f", "user.binary", std::string("\0\xff\n", 3));
  set_xattr(here / "f", "user.empty", "");
  set_xattr(here / "l", "trusted.k", "link");
  remount();
  EXPECT_EQ(xattr(here / "f", "user.binary"), std::string("\0\xff\n", 3));
  EXPECT_EQ(xattr(here / "f", "user.empty"), "");
  EXPECT_EQ(xattr(here / "l", "trusted.k"), "link");
}

TEST_F(Persistence, OfHoles) {
  {
    const FileDescriptor file = opened(here / "f", O_CREAT | O_RDWR);
    ASSERT_OK(::ftruncate(file.get(), 16 << 20));
    ASSERT_EQ(::pwrite(file.get(), "x", 1, 8 << 20), 1);
  }
  remount();
  EXPECT_EQ(status(here / "f").st_size, 16 << 20);
  EXPECT_LT(status(here / "f").st_blocks, 1024);
}

TEST_F(Persistence, OfRemovalsAndRenames) {
  make_file(here / "gone");
  make_directory(here / "d");
  make_file(here / "d/f", "x");
  make_directory(here / "emptied");
  make_file(here / "emptied/f");
  ASSERT_OK(::unlink(here / "gone"));
  ASSERT_OK(::rename(here / "d", here / "moved"));
  ASSERT_OK(::unlink(here / "emptied/f"));
  ASSERT_OK(::rmdir(here / "emptied"));
  make_directory(here / "emptied");
  remount();
  EXPECT_EQ(names(here), (std::vector<std::string>{"emptied", "moved"}));
  EXPECT_TRUE(names(here / "emptied").empty());
  EXPECT_EQ(contents(here / "moved/f"), "x");
}

TEST_F(Persistence, OfAMappedWrite) {
  make_file(here / "f", std::string(8192, 'a'));
  {
    const FileDescriptor file = opened(here / "f", O_RDWR);
    ASSERT_EQ(::pwrite(file.get(), "bbb", 3, 4095), 3);
    ASSERT_OK(::fsync(file.get()));
  }
  remount();
  EXPECT_EQ(contents(here / "f").substr(4094, 5), "abbba");
}

TEST_F(Persistence, UnlinkedAndUnnamedFilesLeaveNothing) {
  {
    make_file(here / "f", "x");
    const FileDescriptor unlinked = opened(here / "f", O_RDWR), unnamed = opened(here, O_TMPFILE | O_RDWR);
    ASSERT_OK(::unlink(here / "f"));
    append(unlinked.get(), "more");
    append(unnamed.get(), "more");
  }
  remount();
  EXPECT_TRUE(names(here).empty());
}

}  // namespace
}  // namespace conformance
