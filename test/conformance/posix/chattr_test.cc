// The flags of chattr(1): set, shown, and obeyed by all that would change the file.
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "support/scratch.h"

namespace conformance {
namespace {

// Takes the flags away again, so that what was made can be removed.
class Chattr : public Scratch {
 protected:
  void SetUp() override {
    Scratch::SetUp();
    make_file(here / "f", "content");
    make_directory(here / "d");
    make_file(here / "d/f", "content");
    unsigned flags = 0;
    const bool known = ::ioctl(opened(here / "f", O_RDONLY).get(), FS_IOC_GETFLAGS, &flags) == 0;
    if (!known && errno == ENOTTY) GTEST_SKIP() << "the file system has no flags";
    require(known, "FS_IOC_GETFLAGS");
  }
  void TearDown() override {
    for (const Path& each : protected_) change(each, 0, FS_IMMUTABLE_FL | FS_APPEND_FL);
    Scratch::TearDown();
  }
  static unsigned flags(const Path& path) {
    unsigned flags = 0;
    require(::ioctl(opened(path, O_RDONLY).get(), FS_IOC_GETFLAGS, &flags) == 0, "FS_IOC_GETFLAGS");
    return flags;
  }
  static void change(const Path& path, unsigned add, unsigned take) {
    const FileDescriptor file = opened(path, O_RDONLY);
    unsigned flags = 0;
    require(::ioctl(file.get(), FS_IOC_GETFLAGS, &flags) == 0, "FS_IOC_GETFLAGS");
    flags = (flags & ~take) | add;
    require(::ioctl(file.get(), FS_IOC_SETFLAGS, &flags) == 0, "FS_IOC_SETFLAGS");
  }
  void protect(const Path& path, unsigned flag) {
    protected_.push_back(path);
    change(path, flag, 0);
  }
  // At the opening, or where a driver is not asked for that at the write.
  static Outcome write(const Path& path, int flags) {
    const int file = ::open(path, flags | O_WRONLY);
    if (file < 0) return outcome(-1);
    const FileDescriptor closed(file);
    return outcome(::write(file, "x", 1) == 1 ? 0 : -1);
  }
  std::vector<Path> protected_;
};

TEST_F(Chattr, FlagsAreKept) {
  change(here / "f", FS_NODUMP_FL, 0);
  EXPECT_EQ(flags(here / "f") & FS_NODUMP_FL, unsigned{FS_NODUMP_FL});
  change(here / "f", 0, FS_NODUMP_FL);
  EXPECT_EQ(flags(here / "f") & FS_NODUMP_FL, 0U);
  change(here / "d", FS_NODUMP_FL, 0);
  EXPECT_EQ(flags(here / "d") & FS_NODUMP_FL, unsigned{FS_NODUMP_FL});
}

TEST_F(Chattr, ExtendedFlagsAreKept) {
  const FileDescriptor file = opened(here / "f", O_RDONLY);
  fsxattr extended{};
  ASSERT_OK(::ioctl(file.get(), FS_IOC_FSGETXATTR, &extended));
  extended.fsx_xflags |= FS_XFLAG_NODUMP;
  ASSERT_OK(::ioctl(file.get(), FS_IOC_FSSETXATTR, &extended));
  EXPECT_EQ(flags(here / "f") & FS_NODUMP_FL, unsigned{FS_NODUMP_FL});
}

TEST_F(Chattr, AnImmutableFileStaysAsItIs) {
  const Path path = here / "f";
  protect(path, FS_IMMUTABLE_FL);
  EXPECT_EQ(flags(path) & FS_IMMUTABLE_FL, unsigned{FS_IMMUTABLE_FL});
  EXPECT_ERRNO(EPERM, write(path, 0));
  EXPECT_ERRNO(EPERM, write(path, O_APPEND));
  EXPECT_ERRNO(EPERM, ::truncate(path, 0));
  EXPECT_ERRNO(EPERM, ::chmod(path, 0600));
  EXPECT_ERRNO(EPERM, ::chown(path, 1, 1));
  EXPECT_ERRNO(EPERM, ::utimensat(AT_FDCWD, path, nullptr, 0));
  EXPECT_ERRNO(EPERM, ::setxattr(path, "user.x", "x", 1, 0));
  EXPECT_ERRNO(EPERM, ::link(path, here / "other"));
  EXPECT_ERRNO(EPERM, ::rename(path, here / "other"));
  EXPECT_ERRNO(EPERM, ::rename(here / "d/f", path));
  EXPECT_ERRNO(EPERM, ::unlink(path));
  EXPECT_EQ(contents(path), "content");
}

TEST_F(Chattr, AFileIsItsOwnerSAgainWithoutTheFlag) {
  protect(here / "f", FS_IMMUTABLE_FL);
  change(here / "f", 0, FS_IMMUTABLE_FL);
  EXPECT_OK(write(here / "f", 0));
  EXPECT_OK(::unlink(here / "f"));
  protected_.clear();
}

TEST_F(Chattr, AnAppendOnlyFileGrowsOnly) {
  const Path path = here / "f";
  protect(path, FS_APPEND_FL);
  EXPECT_OK(write(path, O_APPEND));
  EXPECT_ERRNO(EPERM, write(path, 0));
  EXPECT_ERRNO(EPERM, ::truncate(path, 0));
  EXPECT_ERRNO(EPERM, ::chmod(path, 0600));
  EXPECT_ERRNO(EPERM, ::unlink(path));
  EXPECT_ERRNO(EPERM, ::rename(path, here / "other"));
  EXPECT_ERRNO(EPERM, ::link(path, here / "other"));
  EXPECT_EQ(contents(path), "contentx");
}

TEST_F(Chattr, AnImmutableDirectoryKeepsItsNames) {
  protect(here / "d", FS_IMMUTABLE_FL);
  EXPECT_ERRNO(EPERM, ::open(here / "d/new", O_CREAT | O_WRONLY, 0600));
  EXPECT_ERRNO(EPERM, ::mkdir(here / "d/new", 0700));
  EXPECT_ERRNO(EPERM, ::symlink("x", here / "d/new"));
  EXPECT_ERRNO(EPERM, ::link(here / "f", here / "d/new"));
  EXPECT_ERRNO(EPERM, ::rename(here / "f", here / "d/new"));
  EXPECT_ERRNO(EPERM, ::rename(here / "d/f", here / "new"));
  EXPECT_ERRNO(EPERM, ::unlink(here / "d/f"));
  EXPECT_ERRNO(EPERM, ::chmod(here / "d", 0700));
  EXPECT_OK(write(here / "d/f", 0));  // the files in it are others
  EXPECT_EQ(names(here / "d"), std::vector<std::string>{"f"});
}

TEST_F(Chattr, AnAppendOnlyDirectoryTakesNamesOnly) {
  protect(here / "d", FS_APPEND_FL);
  EXPECT_OK(::mkdir(here / "d/new", 0700));
  EXPECT_ERRNO(EPERM, ::unlink(here / "d/f"));
  EXPECT_ERRNO(EPERM, ::rmdir(here / "d/new"));
  EXPECT_ERRNO(EPERM, ::rename(here / "d/f", here / "new"));
  EXPECT_ERRNO(EPERM, ::rename(here / "f", here / "d/f"));
}

TEST_F(Chattr, AFileThatIsReplacedIsAskedToo) {
  protect(here / "d/f", FS_IMMUTABLE_FL);
  EXPECT_ERRNO(EPERM, ::rename(here / "f", here / "d/f"));
  EXPECT_ERRNO(EPERM, ::renameat2(AT_FDCWD, here / "f", AT_FDCWD, here / "d/f", RENAME_EXCHANGE));
}

TEST_F(Chattr, OtherUsersSetNothing) {
  EXPECT_ERRNO(EPERM, as(alice, [&]() -> long {
                 unsigned flags = FS_IMMUTABLE_FL;
                 return ::ioctl(opened(here / "f", O_RDONLY).get(), FS_IOC_SETFLAGS, &flags);
               }));
}

class ChattrRemounted : public Remounted {};

TEST_F(ChattrRemounted, TheFlagsOutliveTheMount) {
  make_file(here / "f", "content");
  unsigned flags = 0;
  {
    const FileDescriptor file = opened(here / "f", O_RDONLY);
    if (::ioctl(file.get(), FS_IOC_GETFLAGS, &flags) != 0) GTEST_SKIP() << "the file system has no flags";
    const unsigned wanted = flags | FS_IMMUTABLE_FL | FS_NODUMP_FL;
    ASSERT_OK(::ioctl(file.get(), FS_IOC_SETFLAGS, &wanted));
  }
  remount();
  EXPECT_ERRNO(EPERM, ::unlink(here / "f"));
  const FileDescriptor file = opened(here / "f", O_RDONLY);
  unsigned after = 0;
  ASSERT_OK(::ioctl(file.get(), FS_IOC_GETFLAGS, &after));
  EXPECT_EQ(after & (FS_IMMUTABLE_FL | FS_NODUMP_FL), unsigned{FS_IMMUTABLE_FL | FS_NODUMP_FL});
  ASSERT_OK(::ioctl(file.get(), FS_IOC_SETFLAGS, &flags));
}

}  // namespace
}  // namespace conformance
