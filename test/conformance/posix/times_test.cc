// Timestamps.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ctime>

#include "support/scratch.h"

namespace conformance {
namespace {

using Times = Scratch;

struct statx extended_status(const Path& path) {
  struct statx found {};
  require(::statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_ALL, &found) == 0, "statx " + path.text());
  return found;
}

long set_times(const Path& path, timespec access, timespec change) {
  const timespec times[2] = {access, change};
  return ::utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW);
}

void expect_times(const Path& path, timespec access, timespec change) {
  const struct stat found = status(path);
  EXPECT_TRUE(same_time(found.st_atim, access)) << found.st_atim.tv_sec << "." << found.st_atim.tv_nsec;
  EXPECT_TRUE(same_time(found.st_mtim, change)) << found.st_mtim.tv_sec << "." << found.st_mtim.tv_nsec;
}

const timespec one{1'000'000'001, 123'456'789}, two{1'500'000'002, 987'654'321};

TEST_F(Times, AreSetToTheNanosecond) {
  make_file(here / "f");
  make_directory(here / "d");
  make_symlink(here / "l", "f");
  ASSERT_OK(::mknod(here / "fifo", S_IFIFO | 0644, 0));
  for (const char* name : {"f", "d", "l", "fifo"}) {
    EXPECT_OK(set_times(here / name, one, two));
    expect_times(here / name, one, two);
  }
  drop_caches();
  for (const char* name : {"f", "d", "l", "fifo"}) expect_times(here / name, one, two);
}

TEST_F(Times, BeforeTheEpochAndAfter2038) {
  make_file(here / "f");
  const timespec early{-1'000'000, 5}, late{5'000'000'000, 6};
  EXPECT_OK(set_times(here / "f", early, late));
  expect_times(here / "f", early, late);
}

TEST_F(Times, OmitKeepsOne) {
  make_file(here / "f");
  ASSERT_OK(set_times(here / "f", one, two));
  EXPECT_OK(set_times(here / "f", {0, UTIME_OMIT}, {7, 8}));
  expect_times(here / "f", one, {7, 8});
  EXPECT_OK(set_times(here / "f", {9, 10}, {0, UTIME_OMIT}));
  expect_times(here / "f", {9, 10}, {7, 8});
}

TEST_F(Times, NowIsNow) {
  make_file(here / "f");
  ASSERT_OK(set_times(here / "f", one, two));
  timespec start{};
  ASSERT_OK(::clock_gettime(CLOCK_REALTIME_COARSE, &start));
  EXPECT_OK(set_times(here / "f", {0, UTIME_OMIT}, {0, UTIME_NOW}));
  const struct stat found = status(here / "f");
  EXPECT_TRUE(same_time(found.st_atim, one));
  EXPECT_FALSE(before(found.st_mtim, start));
  EXPECT_LT(found.st_mtim.tv_sec, start.tv_sec + 60);
  EXPECT_OK(::utimensat(AT_FDCWD, here / "f", nullptr, 0));
  EXPECT_FALSE(before(status(here / "f").st_atim, start));
}

TEST_F(Times, NonsenseIsRefused) {
  make_file(here / "f");
  EXPECT_ERRNO(EINVAL, set_times(here / "f", {1, 1'000'000'000}, {1, 0}));
  EXPECT_ERRNO(EINVAL, set_times(here / "f", {1, 0}, {1, -1}));
  EXPECT_ERRNO(ENOENT, set_times(here / "absent", one, two));
}

TEST_F(Times, AreForTheOwnerToSetAndForWritersToTouch) {
  make_file(here / "f", "", 0646);
  EXPECT_OK(as(alice, [&]() -> long { return ::utimensat(AT_FDCWD, here / "f", nullptr, 0); }));
  EXPECT_ERRNO(EPERM, as(alice, [&] { return set_times(here / "f", one, two); }));
  ASSERT_OK(::chmod(here / "f", 0644));
  EXPECT_ERRNO(EACCES, as(alice, [&]() -> long { return ::utimensat(AT_FDCWD, here / "f", nullptr, 0); }));
  ASSERT_OK(::chown(here / "f", alice.uid, alice.gid));
  EXPECT_OK(as(alice, [&] { return set_times(here / "f", one, two); }));
}

TEST_F(Times, ByDescriptorEvenReadOnly) {
  make_file(here / "f");
  const FileDescriptor file = opened(here / "f", O_RDONLY);
  const timespec times[2] = {one, two};
  EXPECT_OK(::futimens(file.get(), times));
  expect_times(here / "f", one, two);
}

TEST_F(Times, OfANewFileAreNow) {
  timespec start{}, end{};
  ASSERT_OK(::clock_gettime(CLOCK_REALTIME_COARSE, &start));
  make_file(here / "f");
  make_directory(here / "d");
  make_symlink(here / "l", "t");
  ASSERT_OK(::clock_gettime(CLOCK_REALTIME, &end));
  for (const char* name : {"f", "d", "l"}) {
    const struct stat found = status(here / name);
    EXPECT_FALSE(before(found.st_mtim, start)) << name;
    EXPECT_FALSE(before(end, found.st_mtim)) << name;
    EXPECT_FALSE(before(found.st_atim, start)) << name;
    EXPECT_FALSE(before(found.st_ctim, start)) << name;
  }
}

TEST_F(Times, WritingChangesMtimeAndCtime) {
  make_file(here / "f", "x");
  const FileDescriptor file = opened(here / "f", O_WRONLY);
  struct stat was = status(file.get());
  for (const char* round : {"first", "second"}) {
    let_time_pass();
    append(file.get(), "y");
    const struct stat is = status(file.get());
    EXPECT_TRUE(before(was.st_mtim, is.st_mtim)) << round;
    EXPECT_TRUE(before(was.st_ctim, is.st_ctim)) << round;
    was = is;
  }
}

TEST_F(Times, TruncationChangesMtimeAndCtime) {
  make_file(here / "f", "x");
  struct stat was = status(here / "f");
  let_time_pass();
  ASSERT_OK(::truncate(here / "f", 0));
  EXPECT_TRUE(before(was.st_mtim, status(here / "f").st_mtim));
  was = status(here / "f");
  let_time_pass();
  overwrite(here / "f", "x");
  EXPECT_TRUE(opened(here / "f", O_WRONLY | O_TRUNC).valid());
  EXPECT_TRUE(before(was.st_mtim, status(here / "f").st_mtim));
  EXPECT_TRUE(before(was.st_ctim, status(here / "f").st_ctim));
}

TEST_F(Times, ReadingAndOpeningChangeNoMtime) {
  make_file(here / "f", "x");
  const struct stat was = status(here / "f");
  let_time_pass();
  EXPECT_EQ(contents(here / "f"), "x");
  EXPECT_TRUE(opened(here / "f", O_RDWR).valid());
  EXPECT_TRUE(same_time(was.st_mtim, status(here / "f").st_mtim));
  EXPECT_TRUE(same_time(was.st_ctim, status(here / "f").st_ctim));
}

TEST_F(Times, ChangingAttributesChangesTheCtimeOnly) {
  make_file(here / "f");
  struct stat was = status(here / "f");
  const auto only_ctime = [&](const char* what) {
    const struct stat is = status(here / "f");
    EXPECT_TRUE(before(was.st_ctim, is.st_ctim)) << what;
    EXPECT_TRUE(same_time(was.st_mtim, is.st_mtim)) << what;
    was = is;
    let_time_pass();
  };
  let_time_pass();
  ASSERT_OK(::chmod(here / "f", 0600));
  only_ctime("chmod");
  ASSERT_OK(::chown(here / "f", 5, 5));
  only_ctime("chown");
  const timespec omit[2] = {{1, 1}, {0, UTIME_OMIT}};
  ASSERT_OK(::utimensat(AT_FDCWD, here / "f", omit, 0));
  only_ctime("utimensat");
}

TEST_F(Times, SetAfterAWriteStay) {
  const FileDescriptor file = opened(here / "f", O_CREAT | O_RDWR);
  append(file.get(), "x");
  const timespec times[2] = {one, two};
  ASSERT_OK(::futimens(file.get(), times));
  ASSERT_OK(::fsync(file.get()));
  expect_times(here / "f", one, two);
}

TEST_F(Times, SetWhileOpenForWritingStayAfterClose) {
  {
    const FileDescriptor file = opened(here / "f", O_CREAT | O_RDWR);
    append(file.get(), "x");
    ASSERT_OK(set_times(here / "f", one, two));
  }
  drop_caches();
  expect_times(here / "f", one, two);
}

TEST_F(Times, BirthStays) {
  make_file(here / "f");
  const struct statx was = extended_status(here / "f");
  if ((was.stx_mask & STATX_BTIME) == 0) GTEST_SKIP() << "the file system keeps no time of birth";
  let_time_pass();
  overwrite(here / "f", "x");
  ASSERT_OK(set_times(here / "f", one, two));
  ASSERT_OK(::rename(here / "f", here / "g"));
  const struct statx is = extended_status(here / "g");
  EXPECT_EQ(is.stx_btime.tv_sec, was.stx_btime.tv_sec);
  EXPECT_EQ(is.stx_btime.tv_nsec, was.stx_btime.tv_nsec);
}

// Whether reading moves it is the mount's affair (relatime, noatime); where it does, to now, and never back.
TEST_F(Times, AccessIsNowOrAsBefore) {
  make_file(here / "f", "x");
  ASSERT_OK(set_times(here / "f", one, two));
  timespec start{};
  ASSERT_OK(::clock_gettime(CLOCK_REALTIME_COARSE, &start));
  EXPECT_EQ(contents(here / "f"), "x");
  const struct stat is = status(here / "f");
  EXPECT_TRUE(same_time(is.st_atim, one) || !before(is.st_atim, start)) << is.st_atim.tv_sec;
  EXPECT_TRUE(same_time(is.st_mtim, two));
  drop_caches();
  const struct stat later = status(here / "f");
  EXPECT_FALSE(before(later.st_atim, one));
  EXPECT_TRUE(same_time(later.st_mtim, two));
}

TEST_F(Times, NeverGoBackInDirectories) {
  struct stat was = status(here);
  for (int round = 0; round < 100; ++round) {
    make_file(here / std::to_string(round));
    const struct stat is = status(here);
    EXPECT_FALSE(before(is.st_mtim, was.st_mtim));
    was = is;
  }
}

TEST_F(Times, OfADirectorySetStayUntilItChanges) {
  make_directory(here / "d");
  make_file(here / "d/f");
  ASSERT_OK(set_times(here / "d", one, two));
  overwrite(here / "d/f", "x");
  ASSERT_OK(::chmod(here / "d/f", 0600));
  EXPECT_EQ(names(here / "d").size(), 1U);
  EXPECT_TRUE(same_time(status(here / "d").st_mtim, two));
  make_file(here / "d/g");
  EXPECT_TRUE(before(two, status(here / "d").st_mtim));
}

}  // namespace
}  // namespace conformance
