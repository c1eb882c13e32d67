// Sparse files: holes found, made and kept.
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/scratch.h"

namespace conformance {
namespace {

using Holes = Scratch;

constexpr off_t extent = 64 * 1024;

// Data in [1, 2) and [4, 5) pieces, a hole elsewhere, 8 pieces long.
FileDescriptor sparse_file(const Path& path) {
  FileDescriptor file = opened(path, O_CREAT | O_RDWR);
  require(::ftruncate(file.get(), 8 * extent) == 0, "ftruncate");
  for (const off_t at : {1, 4}) {
    require(::pwrite(file.get(), std::string(extent, 'x').data(), extent, at * extent) == extent, "pwrite");
  }
  require(::fsync(file.get()) == 0, "fsync");
  return file;
}

TEST_F(Holes, AreFound) {
  const FileDescriptor file = sparse_file(here / "f");
  EXPECT_EQ(::lseek(file.get(), 0, SEEK_DATA), extent);
  EXPECT_EQ(::lseek(file.get(), extent, SEEK_HOLE), 2 * extent);
  EXPECT_EQ(::lseek(file.get(), 2 * extent, SEEK_DATA), 4 * extent);
  EXPECT_EQ(::lseek(file.get(), 4 * extent, SEEK_HOLE), 5 * extent);
  EXPECT_ERRNO(ENXIO, ::lseek(file.get(), 5 * extent, SEEK_DATA));
  EXPECT_EQ(::lseek(file.get(), 6 * extent, SEEK_HOLE), 6 * extent);
}

TEST_F(Holes, TheEndIsOne) {
  make_file(here / "f", std::string(1000, 'x'));
  const FileDescriptor file = opened(here / "f", O_RDONLY);
  EXPECT_EQ(::lseek(file.get(), 0, SEEK_HOLE), 1000);
  EXPECT_EQ(::lseek(file.get(), 10, SEEK_DATA), 10);
  EXPECT_ERRNO(ENXIO, ::lseek(file.get(), 1000, SEEK_DATA));
  EXPECT_ERRNO(ENXIO, ::lseek(file.get(), 1000, SEEK_HOLE));
}

TEST_F(Holes, TakeNoBlocks) {
  const FileDescriptor file = opened(here / "f", O_CREAT | O_RDWR);
  ASSERT_OK(::ftruncate(file.get(), 1LL << 30));
  EXPECT_EQ(status(file.get()).st_size, 1LL << 30);
  EXPECT_LT(status(file.get()).st_blocks, 128);
}

TEST_F(Holes, ArePunched) {
  make_file(here / "f", std::string(4 * extent, 'x'));
  const FileDescriptor file = opened(here / "f", O_RDWR);
  ASSERT_OK(::fsync(file.get()));
  const blkcnt_t blocks = status(file.get()).st_blocks;
  EXPECT_OK(::fallocate(file.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, extent, 2 * extent));
  EXPECT_EQ(status(file.get()).st_size, 4 * extent);
  EXPECT_TRUE(contents(file.get()) ==
              std::string(extent, 'x') + std::string(2 * extent, '\0') + std::string(extent, 'x'));
  EXPECT_EQ(::lseek(file.get(), 0, SEEK_HOLE), extent);
  EXPECT_LT(status(file.get()).st_blocks, blocks);
}

TEST_F(Holes, ArePunchedAtAnyByte) {
  make_file(here / "f", std::string(10'000, 'x'));
  const FileDescriptor file = opened(here / "f", O_RDWR);
  EXPECT_OK(::fallocate(file.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 5, 9'000));
  EXPECT_TRUE(contents(file.get()) == std::string(5, 'x') + std::string(9'000, '\0') + std::string(995, 'x'));
}

TEST_F(Holes, PunchingKeepsTheSizeOrIsRefused) {
  make_file(here / "f", "0123456789");
  const FileDescriptor file = opened(here / "f", O_RDWR);
  EXPECT_ERRNO(EOPNOTSUPP, ::fallocate(file.get(), FALLOC_FL_PUNCH_HOLE, 0, 5));
  EXPECT_OK(::fallocate(file.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 5, 100));
  EXPECT_EQ(contents(file.get()), std::string("01234\0\0\0\0\0", 10));
}

TEST_F(Holes, ZeroRangeZeroesAndGrows) {
  SKIP_ON_TMPFS("no FALLOC_FL_ZERO_RANGE");
  make_file(here / "f", std::string(10'000, 'x'));
  const FileDescriptor file = opened(here / "f", O_RDWR);
  EXPECT_OK(::fallocate(file.get(), FALLOC_FL_ZERO_RANGE, 9'000, 5'000));
  EXPECT_EQ(status(file.get()).st_size, 14'000);
  EXPECT_TRUE(contents(file.get()) == std::string(9'000, 'x') + std::string(5'000, '\0'));
  EXPECT_OK(::fallocate(file.get(), FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, 13'000, 5'000));
  EXPECT_EQ(status(file.get()).st_size, 14'000);
}

// Where the file system takes no pieces out and puts none in, it says so and leaves the file alone.
TEST_F(Holes, CollapsingAndInsertingWorkOrAreRefused) {
  const std::string was = std::string(extent, 'a') + std::string(extent, 'b') + std::string(extent, 'c');
  make_file(here / "f", was);
  const FileDescriptor file = opened(here / "f", O_RDWR);
  const Outcome collapsed = outcome(::fallocate(file.get(), FALLOC_FL_COLLAPSE_RANGE, extent, extent));
  EXPECT_TRUE(collapsed.error == 0 || collapsed.error == EOPNOTSUPP) << error_text(collapsed.error);
  EXPECT_TRUE(contents(file.get()) == (collapsed.error == 0 ? std::string(was).erase(extent, extent) : was));
  make_file(here / "g", was);
  const FileDescriptor other = opened(here / "g", O_RDWR);
  const Outcome inserted = outcome(::fallocate(other.get(), FALLOC_FL_INSERT_RANGE, extent, extent));
  EXPECT_TRUE(inserted.error == 0 || inserted.error == EOPNOTSUPP) << error_text(inserted.error);
  EXPECT_TRUE(contents(other.get()) == (inserted.error == 0 ? std::string(was).insert(extent, extent, '\0') : was));
}

TEST_F(Holes, AllocationGrowsTheFile) {
  make_file(here / "f", "x");
  const FileDescriptor file = opened(here / "f", O_RDWR);
  EXPECT_OK(::fallocate(file.get(), 0, 0, extent));
  EXPECT_EQ(status(file.get()).st_size, extent);
  EXPECT_GE(status(file.get()).st_blocks * 512, extent);
  EXPECT_TRUE(contents(file.get()) == "x" + std::string(extent - 1, '\0'));
  EXPECT_OK(::fallocate(file.get(), FALLOC_FL_KEEP_SIZE, 0, 4 * extent));
  EXPECT_EQ(status(file.get()).st_size, extent);
  EXPECT_EQ(::posix_fallocate(file.get(), 0, 2 * extent), 0);
  EXPECT_EQ(status(file.get()).st_size, 2 * extent);
}

TEST_F(Holes, AllocationChecksItsArguments) {
  make_file(here / "f");
  const FileDescriptor file = opened(here / "f", O_RDWR);
  EXPECT_ERRNO(EINVAL, ::fallocate(file.get(), 0, -1, 10));
  EXPECT_ERRNO(EINVAL, ::fallocate(file.get(), 0, 0, 0));
  EXPECT_ERRNO(EBADF, ::fallocate(opened(here / "f", O_RDONLY).get(), 0, 0, 10));
}

TEST_F(Holes, SurviveARoundTripThroughTheCache) {
  const FileDescriptor file = sparse_file(here / "f");
  std::string expected(8 * extent, '\0');
  for (const off_t at : {1, 4}) expected.replace(at * extent, extent, std::string(extent, 'x'));
  EXPECT_TRUE(contents(file.get()) == expected);
  EXPECT_EQ(::posix_fadvise(file.get(), 0, 0, POSIX_FADV_DONTNEED), 0);
  EXPECT_TRUE(contents(here / "f") == expected);
  EXPECT_EQ(::lseek(file.get(), 2 * extent, SEEK_DATA), 4 * extent) << "reading fills no hole";
}

TEST_F(Holes, WrittenIntoBecomeData) {
  const FileDescriptor file = sparse_file(here / "f");
  EXPECT_EQ(::pwrite(file.get(), "y", 1, 3 * extent), 1);
  const off_t data = ::lseek(file.get(), 2 * extent, SEEK_DATA);
  EXPECT_LE(data, 3 * extent);
  EXPECT_EQ(contents(file.get())[3 * extent], 'y');
}

}  // namespace
}  // namespace conformance
