// Acting on the data of a lower's file otherwise than by write(2).
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "support/layers.h"

namespace conformance {
namespace {

using OverlayData = Overlay;

constexpr off_t piece = 64 * 1024;

// Data in the second of four pieces, holes elsewhere.
void make_sparse(const Path& path) {
  const FileDescriptor file = opened(path, O_CREAT | O_RDWR);
  require(::ftruncate(file.get(), 4 * piece) == 0, "ftruncate");
  require(::pwrite(file.get(), std::string(piece, 'x').data(), piece, piece) == piece, "pwrite");
}

LAYERS(OverlayData, HolesOfALowerFileAreFound) { make_sparse(bottom / "f"); }
TEST_F(OverlayData, HolesOfALowerFileAreFound) {
  const auto expect_holes = [&](const char* when) {
    const FileDescriptor file = opened(here / "f", O_RDONLY);
    EXPECT_EQ(::lseek(file.get(), 0, SEEK_DATA), piece) << when;
    EXPECT_EQ(::lseek(file.get(), piece, SEEK_HOLE), 2 * piece) << when;
    EXPECT_ERRNO(ENXIO, ::lseek(file.get(), 2 * piece, SEEK_DATA));
  };
  expect_holes("of the lower");
  ASSERT_OK(::chmod(here / "f", 0600));
  expect_holes("after chmod");
  ASSERT_OK(::truncate(here / "f", 5 * piece));
  expect_holes("after the copy-up");
}

LAYERS(OverlayData, RangesOfALowerFileArePunchedAndZeroed) {
  for (const char* name : {"punched", "zeroed"}) make_file(bottom / name, std::string(4 * piece, 'x'));
}
TEST_F(OverlayData, RangesOfALowerFileArePunchedAndZeroed) {
  const std::string expected = std::string(piece, 'x') + std::string(piece, '\0') + std::string(2 * piece, 'x');
  const FileDescriptor punched = opened(here / "punched", O_RDWR), zeroed = opened(here / "zeroed", O_RDWR);
  EXPECT_OK(::fallocate(punched.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, piece, piece));
  EXPECT_TRUE(contents(punched.get()) == expected);
  EXPECT_EQ(::lseek(punched.get(), 0, SEEK_HOLE), piece);
  EXPECT_OK(::fallocate(zeroed.get(), FALLOC_FL_ZERO_RANGE, piece, piece));
  EXPECT_TRUE(contents(zeroed.get()) == expected);
}

LAYERS(OverlayData, CopyFileRangeIntoALowerFile) {
  make_file(bottom / "from", pattern(200'000));
  make_file(bottom / "to", std::string(200'000, 'x'));
  make_file(bottom / "both", pattern(200'000));
}
TEST_F(OverlayData, CopyFileRangeIntoALowerFile) {
  const auto copy = [&](const char* name, const char* other, off_t from, off_t to) {
    const FileDescriptor in = opened(here / name, O_RDONLY), out = opened(here / other, O_RDWR);
    off_t in_at = from, out_at = to;
    return ::copy_file_range(in.get(), &in_at, out.get(), &out_at, 1000, 0);
  };
  EXPECT_EQ(copy("from", "to", 5000, 100'000), 1000);
  EXPECT_TRUE(contents(here / "to") == std::string(200'000, 'x').replace(100'000, 1000, pattern(200'000), 5000, 1000));
  EXPECT_EQ(copy("both", "both", 0, 150'000), 1000);
  EXPECT_TRUE(contents(here / "both") == pattern(200'000).replace(150'000, 1000, pattern(200'000), 0, 1000));
}

LAYERS(OverlayData, AMappingSeesWhatIsWrittenLater) { make_file(bottom / "f", std::string(8192, 'a')); }
TEST_F(OverlayData, AMappingSeesWhatIsWrittenLater) {
  const FileDescriptor reader = opened(here / "f", O_RDONLY);
  void* memory = ::mmap(nullptr, 8192, PROT_READ, MAP_SHARED, reader.get(), 0);
  ASSERT_NE(memory, MAP_FAILED);
  const volatile char* bytes = static_cast<const char*>(memory);
  EXPECT_EQ(bytes[5000], 'a');
  ASSERT_EQ(::pwrite(opened(here / "f", O_WRONLY).get(), "b", 1, 5000), 1);
  EXPECT_EQ(bytes[5000], 'b');
  EXPECT_EQ(bytes[5001], 'a');
  ASSERT_OK(::munmap(memory, 8192));
}

LAYERS(OverlayData, DirectBufferedAndMappedAgree) { make_file(bottom / "f", std::string(4 * 4096, 'a')); }
TEST_F(OverlayData, DirectBufferedAndMappedAgree) {
  alignas(4096) static char block[4096];
  const FileDescriptor direct = opened(here / "f", O_RDWR | O_DIRECT), buffered = opened(here / "f", O_RDWR);
  void* memory = ::mmap(nullptr, 4 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, buffered.get(), 0);
  ASSERT_NE(memory, MAP_FAILED);
  char* mapped = static_cast<char*>(memory);
  ASSERT_EQ(::pread(direct.get(), block, 4096, 0), 4096);
  EXPECT_EQ(block[0], 'a');
  std::fill(std::begin(block), std::end(block), 'd');
  ASSERT_EQ(::pwrite(direct.get(), block, 4096, 4096), 4096);
  ASSERT_EQ(::pwrite(buffered.get(), "b", 1, 2 * 4096), 1);
  mapped[3 * 4096] = 'm';
  ASSERT_OK(::msync(memory, 4 * 4096, MS_SYNC));
  const std::string expected =
      std::string(4096, 'a') + std::string(4096, 'd') + "b" + std::string(4095, 'a') + "m" + std::string(4095, 'a');
  EXPECT_TRUE(contents(buffered.get()) == expected);
  EXPECT_TRUE(std::string(mapped, 4 * 4096) == expected);
  for (int at = 0; at < 4; ++at) {
    ASSERT_EQ(::pread(direct.get(), block, 4096, at * 4096), 4096);
    EXPECT_TRUE(std::string(block, 4096) == expected.substr(at * 4096, 4096)) << "block " << at;
  }
  ASSERT_OK(::munmap(memory, 4 * 4096));
}

}  // namespace
}  // namespace conformance
