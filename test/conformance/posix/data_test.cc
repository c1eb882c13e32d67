// Reading and writing.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <memory>

#include "support/scratch.h"

namespace conformance {
namespace {

using Data = Scratch;

constexpr off_t mebibyte = 1 << 20;

std::string read_at(int file, std::size_t length, off_t offset) {
  std::string buffer(length, '\0');
  const ssize_t got = ::pread(file, buffer.data(), length, offset);
  require(got >= 0, "pread");
  buffer.resize(static_cast<std::size_t>(got));
  return buffer;
}

TEST_F(Data, IsReadBackAsWritten) {
  const std::string content = pattern(3 * mebibyte + 17);
  make_file(here / "f", content);
  EXPECT_EQ(status(here / "f").st_size, static_cast<off_t>(content.size()));
  EXPECT_TRUE(contents(here / "f") == content);
  drop_caches();
  EXPECT_TRUE(contents(here / "f") == content);
}

TEST_F(Data, PositionsAdvance) {
  const FileDescriptor file = opened(here / "f", O_CREAT | O_RDWR);
  append(file.get(), "abc");
  append(file.get(), "def");
  EXPECT_EQ(::lseek(file.get(), 0, SEEK_CUR), 6);
  EXPECT_EQ(::lseek(file.get(), -2, SEEK_END), 4);
  char buffer[8];
  EXPECT_EQ(::read(file.get(), buffer, sizeof buffer), 2);
  EXPECT_EQ(::read(file.get(), buffer, sizeof buffer), 0);
  EXPECT_ERRNO(EINVAL, ::lseek(file.get(), -1, SEEK_SET));
}

TEST_F(Data, WritingBeyondTheEndLeavesZeros) {
  const FileDescriptor file = opened(here / "f", O_CREAT | O_RDWR);
  EXPECT_EQ(::pwrite(file.get(), "x", 1, 10000), 1);
  EXPECT_EQ(status(file.get()).st_size, 10001);
  EXPECT_EQ(contents(file.get()), std::string(10000, '\0') + "x");
}

TEST_F(Data, UnalignedOverwritesKeepTheRest) {
  std::string expected = pattern(200'000);
  make_file(here / "f", expected);
  const FileDescriptor file = opened(here / "f", O_RDWR);
  for (std::size_t at = 13; at + 4099 < expected.size(); at += 12'345) {
    const std::string piece = pattern(4099, static_cast<unsigned>(at));
    ASSERT_EQ(::pwrite(file.get(), piece.data(), piece.size(), static_cast<off_t>(at)), 4099);
    expected.replace(at, piece.size(), piece);
  }
  EXPECT_TRUE(contents(file.get()) == expected);
  EXPECT_TRUE(contents(here / "f") == expected);
}

TEST_F(Data, AppendsGoToTheEnd) {
  make_file(here / "f", "start");
  const FileDescriptor file = opened(here / "f", O_WRONLY | O_APPEND);
  ASSERT_OK(::lseek(file.get(), 0, SEEK_SET));
  append(file.get(), "+1");
  overwrite(here / "f", "START");
  append(file.get(), "+2");
  EXPECT_EQ(::pwrite(file.get(), "+3", 2, 0), 2) << "Linux appends even then, pwrite(2)";
  EXPECT_EQ(contents(here / "f"), "START+1+2+3");
}

TEST_F(Data, AppendsOfSeveralProcessesAreNotLost) {
  make_file(here / "f");
  const auto outcomes = at_once(4, [&](int number) -> long {
    const FileDescriptor file = opened(here / "f", O_WRONLY | O_APPEND);
    for (int round = 0; round < 200; ++round)
      append(file.get(), std::string(15, static_cast<char>('a' + number)) + "\n");
    return 0;
  });
  for (const Outcome& result : outcomes) EXPECT_OK(result);
  const std::string all = contents(here / "f");
  ASSERT_EQ(all.size(), 4U * 200 * 16);
  for (std::size_t at = 0; at < all.size(); at += 16) {
    ASSERT_EQ(all.substr(at, 16), std::string(15, all[at]) + "\n") << at;
  }
}

TEST_F(Data, TruncationShrinksAndGrows) {
  make_file(here / "f", "0123456789");
  EXPECT_OK(::truncate(here / "f", 4));
  EXPECT_EQ(contents(here / "f"), "0123");
  EXPECT_OK(::truncate(here / "f", 8));
  EXPECT_EQ(contents(here / "f"), std::string("0123\0\0\0\0", 8)) << "what was cut off does not come back";
  EXPECT_OK(::truncate(here / "f", 0));
  EXPECT_EQ(status(here / "f").st_size, 0);
}

TEST_F(Data, TruncationChecksItsArguments) {
  make_file(here / "f");
  make_directory(here / "d");
  EXPECT_ERRNO(EINVAL, ::truncate(here / "f", -1));
  EXPECT_ERRNO(EISDIR, ::truncate(here / "d", 0));
  EXPECT_ERRNO(ENOENT, ::truncate(here / "absent", 0));
  EXPECT_ERRNO(EINVAL, ::ftruncate(opened(here / "f", O_RDONLY).get(), 0));
}

TEST_F(Data, OnlyAsOpened) {
  make_file(here / "f", "x");
  char byte = 0;
  EXPECT_ERRNO(EBADF, ::write(opened(here / "f", O_RDONLY).get(), "x", 1));
  EXPECT_ERRNO(EBADF, ::read(opened(here / "f", O_WRONLY).get(), &byte, 1));
  EXPECT_ERRNO(EBADF, ::read(opened(here / "f", O_PATH).get(), &byte, 1));
}

TEST_F(Data, DescriptorsAgree) {
  make_file(here / "f");
  const FileDescriptor writer = opened(here / "f", O_WRONLY), reader = opened(here / "f", O_RDONLY);
  for (int round = 0; round < 50; ++round) {
    append(writer.get(), "0123456789");
    ASSERT_EQ(status(reader.get()).st_size, (round + 1) * 10);
    ASSERT_EQ(read_at(reader.get(), 10, round * 10), "0123456789");
  }
}

TEST_F(Data, ProcessesAgree) {
  make_file(here / "f", "old");
  const Gate written, seen;
  Child reader([&]() -> long {
    const FileDescriptor file = opened(here / "f", O_RDONLY);
    if (contents(file.get()) != "old") return -1;
    seen.open();
    written.pass();
    errno = EBADMSG;
    return contents(file.get()) == "newer" ? 0 : -1;
  });
  seen.pass();
  overwrite(here / "f", "newer");
  written.open();
  EXPECT_OK(reader.wait());
}

TEST_F(Data, ConcurrentWritersKeepToTheirPlaces) {
  make_file(here / "f");
  const auto outcomes = at_once(4, [&](int number) -> long {
    const FileDescriptor file = opened(here / "f", O_WRONLY);
    const std::string block(4000, static_cast<char>('a' + number));
    for (int round = 0; round < 50; ++round) {
      if (::pwrite(file.get(), block.data(), block.size(), (round * 4 + number) * 4000L) != 4000) return -1;
    }
    return 0;
  });
  for (const Outcome& result : outcomes) EXPECT_OK(result);
  std::string expected;
  for (int round = 0; round < 50; ++round) {
    for (char letter = 'a'; letter < 'e'; ++letter) expected += std::string(4000, letter);
  }
  EXPECT_TRUE(contents(here / "f") == expected);
}

TEST_F(Data, Vectors) {
  const FileDescriptor file = opened(here / "f", O_CREAT | O_RDWR);
  std::string one = "one", two = "two2", three = "three";
  const iovec out[] = {{one.data(), 3}, {two.data(), 4}, {three.data(), 5}};
  EXPECT_EQ(::writev(file.get(), out, 3), 12);
  EXPECT_EQ(contents(file.get()), "onetwo2three");
  char a[5], b[7];
  const iovec in[] = {{a, 5}, {b, 7}};
  EXPECT_EQ(::preadv(file.get(), in, 2, 0), 12);
  EXPECT_EQ(std::string(b, 7), "o2three");
}

TEST_F(Data, OffsetsBeyondFourGigabytes) {
  const FileDescriptor file = opened(here / "f", O_CREAT | O_RDWR);
  const off_t far = 5LL << 30;
  EXPECT_EQ(::pwrite(file.get(), "far", 3, far), 3);
  EXPECT_EQ(status(file.get()).st_size, far + 3);
  EXPECT_EQ(read_at(file.get(), 8, far), "far");
  EXPECT_EQ(read_at(file.get(), 4, far - 4), std::string(4, '\0'));
  EXPECT_OK(::ftruncate(file.get(), far + 1));
  EXPECT_EQ(read_at(file.get(), 8, far), "f");
}

TEST_F(Data, SyncedWritesAndSyncs) {
  const FileDescriptor file = opened(here / "f", O_CREAT | O_RDWR | O_SYNC);
  append(file.get(), "x");
  EXPECT_OK(::fsync(file.get()));
  EXPECT_OK(::fdatasync(file.get()));
  EXPECT_OK(::sync_file_range(file.get(), 0, 0, SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER));
  EXPECT_OK(::fsync(opened(here / "f", O_RDONLY).get()));
}

struct Freed {
  void operator()(void* memory) const { std::free(memory); }
};

TEST_F(Data, DirectAndBufferedAgree) {
  std::unique_ptr<void, Freed> memory(std::aligned_alloc(4096, 8192));
  auto* bytes = static_cast<char*>(memory.get());
  const std::string content = pattern(8192);
  make_file(here / "f", content);
  const FileDescriptor direct = opened(here / "f", O_RDWR | O_DIRECT), buffered = opened(here / "f", O_RDWR);
  ASSERT_EQ(::pread(direct.get(), bytes, 8192, 0), 8192);
  EXPECT_TRUE(std::string(bytes, 8192) == content);
  std::fill(bytes, bytes + 8192, 'd');
  ASSERT_EQ(::pwrite(direct.get(), bytes, 4096, 4096), 4096);
  EXPECT_TRUE(contents(buffered.get()) == content.substr(0, 4096) + std::string(4096, 'd'));
  ASSERT_EQ(::pwrite(buffered.get(), "buffered", 8, 4096), 8);
  ASSERT_EQ(::pread(direct.get(), bytes, 4096, 4096), 4096);
  EXPECT_EQ(std::string(bytes, 9), "bufferedd");
}

TEST_F(Data, TheSizeLimitOfAProcessHolds) {
  make_file(here / "f", std::string(1000, 'x'));
  const auto limited = [&](const std::function<long(int)>& action) {
    return [&, action]() -> long {
      std::signal(SIGXFSZ, SIG_IGN);
      const rlimit limit{4096, 4096};
      const FileDescriptor file = opened(here / "f", O_WRONLY);
      return ::setrlimit(RLIMIT_FSIZE, &limit) == 0 ? action(file.get()) : -1;
    };
  };
  EXPECT_ERRNO(EFBIG, in_child(limited([](int file) -> long { return ::pwrite(file, "x", 1, 4096); })));
  EXPECT_ERRNO(EFBIG, in_child(limited([](int file) -> long { return ::ftruncate(file, 5000); })));
  EXPECT_OK(in_child(limited([](int file) -> long { return ::pwrite(file, "x", 1, 4095); })));
  EXPECT_EQ(status(here / "f").st_size, 4096);
}

TEST_F(Data, BlocksAreCounted) {
  make_file(here / "f", pattern(mebibyte));
  ASSERT_OK(::fsync(opened(here / "f", O_RDONLY).get()));
  const struct stat found = status(here / "f");
  EXPECT_GE(found.st_blocks, 2048);
  EXPECT_LT(found.st_blocks, 4096);
  EXPECT_GT(found.st_blksize, 0);
}

TEST_F(Data, WritesOfNothingDoNothing) {
  make_file(here / "f", "x");
  const FileDescriptor file = opened(here / "f", O_RDWR);
  EXPECT_EQ(::write(file.get(), "", 0), 0);
  EXPECT_EQ(::pwrite(file.get(), "", 0, 5000), 0);
  EXPECT_EQ(status(here / "f").st_size, 1);
}

TEST_F(Data, LargeSingleReadsAndWrites) {
  const std::string content = pattern(9 * mebibyte);
  const FileDescriptor file = opened(here / "f", O_CREAT | O_RDWR);
  EXPECT_EQ(::write(file.get(), content.data(), content.size()), static_cast<ssize_t>(content.size()));
  EXPECT_TRUE(read_at(file.get(), content.size(), 0) == content);
}

TEST_F(Data, AdviceIsTaken) {
  make_file(here / "f", pattern(mebibyte));
  const FileDescriptor file = opened(here / "f", O_RDONLY);
  EXPECT_EQ(::posix_fadvise(file.get(), 0, 0, POSIX_FADV_SEQUENTIAL), 0);
  EXPECT_EQ(::posix_fadvise(file.get(), 0, 0, POSIX_FADV_DONTNEED), 0);
  EXPECT_EQ(::readahead(file.get(), 0, mebibyte), 0);
  EXPECT_TRUE(contents(file.get()) == pattern(mebibyte));
}

}  // namespace
}  // namespace conformance
