// statx(2), statfs(2), and what they must agree on.
#include <fcntl.h>
#include <linux/stat.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <climits>
#include <ctime>
#include <set>

#include "support/scratch.h"

namespace conformance {
namespace {

using Statx = Scratch;

struct statx extended(const Path& path, int flags = AT_SYMLINK_NOFOLLOW) {
  struct statx found {};
  require(::statx(AT_FDCWD, path, flags, STATX_ALL, &found) == 0, "statx " + path.text());
  return found;
}

TEST_F(Statx, AgreesWithStat) {
  make_file(here / "f", "content", 0641);
  ASSERT_OK(::chown(here / "f", 3, 4));
  const struct statx found = extended(here / "f");
  const struct stat old = status(here / "f");
  EXPECT_EQ(found.stx_mask & STATX_BASIC_STATS, static_cast<unsigned>(STATX_BASIC_STATS));
  EXPECT_EQ(found.stx_ino, old.st_ino);
  EXPECT_EQ(found.stx_mode, old.st_mode);
  EXPECT_EQ(found.stx_size, 7U);
  EXPECT_EQ(found.stx_uid, 3U);
  EXPECT_EQ(found.stx_gid, 4U);
  EXPECT_EQ(found.stx_nlink, 1U);
  EXPECT_EQ(found.stx_blocks, static_cast<std::uint64_t>(old.st_blocks));
  EXPECT_EQ(found.stx_mtime.tv_nsec, old.st_mtim.tv_nsec);
}

TEST_F(Statx, TellsTheBirth) {
  timespec start{}, end{};
  ASSERT_OK(::clock_gettime(CLOCK_REALTIME_COARSE, &start));
  make_file(here / "f");
  ASSERT_OK(::clock_gettime(CLOCK_REALTIME, &end));
  const struct statx found = extended(here / "f");
  ASSERT_NE(found.stx_mask & STATX_BTIME, 0U);
  const timespec birth{found.stx_btime.tv_sec, found.stx_btime.tv_nsec};
  EXPECT_FALSE(before(birth, start));
  EXPECT_FALSE(before(end, birth));
}

TEST_F(Statx, ForcedAndCachedAgree) {
  make_file(here / "f", "x");
  overwrite(here / "f", "longer");
  for (const int flags : {AT_STATX_SYNC_AS_STAT, AT_STATX_FORCE_SYNC, AT_STATX_DONT_SYNC}) {
    EXPECT_EQ(extended(here / "f", flags).stx_size, 6U);
  }
}

TEST_F(Statx, ByDescriptorOfAnyKind) {
  make_file(here / "f", "x");
  make_symlink(here / "l", "f");
  for (const char* name : {"f", "l"}) {
    const FileDescriptor only_path = opened(here / name, O_PATH | O_NOFOLLOW);
    struct statx found {};
    EXPECT_OK(::statx(only_path.get(), "", AT_EMPTY_PATH, STATX_ALL, &found));
    EXPECT_EQ(found.stx_ino, inode(here / name));
    EXPECT_EQ(status(only_path.get()).st_ino, inode(here / name));
  }
}

TEST_F(Statx, OneDeviceForTheWholeMount) {
  // tar --one-file-system, find -xdev and rsync -x stop where it changes.
  make_file(here / "f");
  make_directory(here / "d");
  make_symlink(here / "l", "f");
  const dev_t device = status(settings().mount).st_dev;
  for (const char* name : {"f", "d", "l"}) EXPECT_EQ(status(here / name).st_dev, device) << name;
}

TEST_F(Statx, InodesAreUniqueAndStable) {
  std::set<ino_t> seen;
  for (int number = 0; number < 500; ++number) {
    make_file(here / std::to_string(number));
    EXPECT_TRUE(seen.insert(inode(here / std::to_string(number))).second) << number;
  }
  drop_caches();
  for (int number = 0; number < 500; ++number)
    EXPECT_TRUE(seen.contains(inode(here / std::to_string(number)))) << number;
}

TEST_F(Statx, TheRootIsARoot) {
  EXPECT_NE(extended(settings().mount).stx_attributes & STATX_ATTR_MOUNT_ROOT, 0U);
  EXPECT_EQ(extended(here).stx_attributes & STATX_ATTR_MOUNT_ROOT, 0U);
}

TEST_F(Statx, TheFileSystemTellsItsSize) {
  struct statvfs found {};
  ASSERT_OK(::statvfs(here, &found));
  EXPECT_GT(found.f_bsize, 0U);
  EXPECT_GT(found.f_blocks, 0U);
  EXPECT_GE(found.f_blocks, found.f_bfree);
  EXPECT_GE(found.f_bfree, found.f_bavail);
  EXPECT_EQ(found.f_namemax, static_cast<unsigned long>(NAME_MAX));
  const FileDescriptor file = opened(here / "f", O_CREAT | O_RDWR);
  struct statvfs by_descriptor {};
  EXPECT_OK(::fstatvfs(file.get(), &by_descriptor));
  EXPECT_EQ(by_descriptor.f_blocks, found.f_blocks);
}

TEST_F(Statx, FreeSpaceFollowsAllocation) {
  struct statvfs was {
  }, is{};
  ASSERT_OK(::statvfs(here, &was));
  const FileDescriptor file = opened(here / "f", O_CREAT | O_RDWR);
  ASSERT_OK(::fallocate(file.get(), 0, 0, 64 << 20));
  ASSERT_OK(::statvfs(here, &is));
  // Others may free or take some meanwhile.
  EXPECT_LT(is.f_bfree * is.f_frsize, was.f_bfree * was.f_frsize - (32 << 20));
}

}  // namespace
}  // namespace conformance
