// Mapped files.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <functional>

#include "support/scratch.h"

namespace conformance {
namespace {

using Mmap = Scratch;

constexpr std::size_t page = 4096;

class Mapping {
 public:
  Mapping(int file, std::size_t length, int protection, int flags)
      : length_(length), memory_(::mmap(nullptr, length, protection, flags, file, 0)) {
    require(memory_ != MAP_FAILED, "mmap");
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() { ::munmap(memory_, length_); }

  char* data() { return static_cast<char*>(memory_); }
  std::string text() { return {data(), length_}; }
  long sync() { return ::msync(memory_, length_, MS_SYNC); }

 private:
  std::size_t length_;
  void* memory_;
};

TEST_F(Mmap, ShowsTheContent) {
  const std::string content = pattern(5 * page);
  make_file(here / "f", content);
  Mapping map(opened(here / "f", O_RDONLY).get(), content.size(), PROT_READ, MAP_SHARED);
  EXPECT_TRUE(map.text() == content);
}

TEST_F(Mmap, SharedWritesAreReadAndWrittenOnesSeen) {
  make_file(here / "f", std::string(2 * page, 'a'));
  const FileDescriptor file = opened(here / "f", O_RDWR);
  Mapping map(file.get(), 2 * page, PROT_READ | PROT_WRITE, MAP_SHARED);
  std::memcpy(map.data() + page, "mapped", 6);
  char buffer[6];
  EXPECT_EQ(::pread(file.get(), buffer, 6, page), 6);
  EXPECT_EQ(std::string(buffer, 6), "mapped");
  EXPECT_EQ(::pwrite(file.get(), "written", 7, 10), 7);
  EXPECT_EQ(std::string(map.data() + 10, 7), "written");
}

TEST_F(Mmap, SharedWritesAreKept) {
  make_file(here / "f", std::string(page, 'a'));
  {
    Mapping map(opened(here / "f", O_RDWR).get(), page, PROT_READ | PROT_WRITE, MAP_SHARED);
    std::memcpy(map.data(), "kept", 4);
    EXPECT_OK(map.sync());
  }
  drop_caches();
  EXPECT_EQ(contents(here / "f").substr(0, 5), "kepta");
}

TEST_F(Mmap, WritesWithoutSyncAreKeptToo) {
  make_file(here / "f", std::string(50 * page, 'a'));
  {
    Mapping map(opened(here / "f", O_RDWR).get(), 50 * page, PROT_READ | PROT_WRITE, MAP_SHARED);
    for (std::size_t number = 0; number < 50; ++number) map.data()[number * page] = 'b';
  }
  std::string expected;
  for (int number = 0; number < 50; ++number) expected += 'b' + std::string(page - 1, 'a');
  EXPECT_TRUE(contents(here / "f") == expected);
}

TEST_F(Mmap, PrivateWritesStayPrivate) {
  make_file(here / "f", std::string(page, 'a'));
  Mapping map(opened(here / "f", O_RDONLY).get(), page, PROT_READ | PROT_WRITE, MAP_PRIVATE);
  std::memcpy(map.data(), "private", 7);
  EXPECT_EQ(contents(here / "f"), std::string(page, 'a'));
}

TEST_F(Mmap, IsSharedBetweenProcesses) {
  make_file(here / "f", std::string(page, 'a'));
  Mapping map(opened(here / "f", O_RDWR).get(), page, PROT_READ | PROT_WRITE, MAP_SHARED);
  EXPECT_OK(in_child([&]() -> long {
    Mapping own(opened(here / "f", O_RDWR).get(), page, PROT_READ | PROT_WRITE, MAP_SHARED);
    std::memcpy(own.data(), "child", 5);
    return 0;
  }));
  EXPECT_EQ(std::string(map.data(), 5), "child");
}

TEST_F(Mmap, NeedsTheRightToWrite) {
  make_file(here / "f", "x");
  const FileDescriptor file = opened(here / "f", O_RDONLY);
  EXPECT_ERRNO(EACCES, ::mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0) == MAP_FAILED ? -1 : 0);
}

TEST_F(Mmap, TheLastPageEndsInZeros) {
  make_file(here / "f", "abc");
  Mapping map(opened(here / "f", O_RDONLY).get(), page, PROT_READ, MAP_SHARED);
  EXPECT_EQ(map.text(), "abc" + std::string(page - 3, '\0'));
}

TEST_F(Mmap, WritingBeyondTheEndDoesNotGrow) {
  make_file(here / "f", "abc");
  {
    Mapping map(opened(here / "f", O_RDWR).get(), page, PROT_READ | PROT_WRITE, MAP_SHARED);
    map.data()[100] = 'x';
    EXPECT_OK(map.sync());
  }
  EXPECT_EQ(contents(here / "f"), "abc");
}

TEST_F(Mmap, PagesBeyondTheEndKill) {
  make_file(here / "f", std::string(page, 'a'));
  Child child([&]() -> long {
    Mapping map(opened(here / "f", O_RDWR).get(), 2 * page, PROT_READ | PROT_WRITE, MAP_SHARED);
    return map.data()[page];
  });
  EXPECT_EQ(child.wait_for_signal(), SIGBUS);
}

TEST_F(Mmap, TruncatedPagesKill) {
  make_file(here / "f", std::string(3 * page, 'a'));
  Child child([&]() -> long {
    const FileDescriptor file = opened(here / "f", O_RDWR);
    Mapping map(file.get(), 3 * page, PROT_READ | PROT_WRITE, MAP_SHARED);
    if (map.data()[2 * page] != 'a') return -1;
    if (::ftruncate(file.get(), page) != 0 || map.data()[0] != 'a') return -1;
    return map.data()[2 * page];
  });
  EXPECT_EQ(child.wait_for_signal(), SIGBUS);
}

TEST_F(Mmap, SeesTheFileGrow) {
  make_file(here / "f", std::string(page, 'a'));
  const FileDescriptor file = opened(here / "f", O_RDWR);
  Mapping map(file.get(), 2 * page, PROT_READ, MAP_SHARED);
  EXPECT_EQ(map.data()[0], 'a');
  EXPECT_EQ(::pwrite(file.get(), "b", 1, page), 1);
  EXPECT_EQ(map.data()[page], 'b');
}

TEST_F(Mmap, OutlivesItsDescriptorAndItsName) {
  make_file(here / "f", std::string(page, 'a'));
  Mapping map(opened(here / "f", O_RDWR).get(), page, PROT_READ | PROT_WRITE, MAP_SHARED);
  EXPECT_OK(::unlink(here / "f"));
  map.data()[0] = 'b';
  EXPECT_EQ(map.text(), "b" + std::string(page - 1, 'a'));
  EXPECT_OK(map.sync());
}

TEST_F(Mmap, ChangesTheTimes) {
  make_file(here / "f", std::string(page, 'a'));
  const struct stat was = status(here / "f");
  let_time_pass();
  {
    Mapping map(opened(here / "f", O_RDWR).get(), page, PROT_READ | PROT_WRITE, MAP_SHARED);
    map.data()[0] = 'b';
    EXPECT_OK(map.sync());
  }
  const struct stat is = status(here / "f");
  EXPECT_TRUE(before(was.st_mtim, is.st_mtim));
  EXPECT_TRUE(before(was.st_ctim, is.st_ctim));
}

TEST_F(Mmap, ChangesTheTimesWhoeverLookedBefore) {
  make_file(here / "f", std::string(page, 'a'));
  make_link(here / "f", here / "g");
  drop_caches();
  const FileDescriptor file = opened(here / "f", O_RDWR);
  Mapping map(file.get(), page, PROT_READ | PROT_WRITE, MAP_SHARED);
  const std::vector<std::function<void()>> looks = {
      [&] { EXPECT_EQ(inode(here / "g"), inode(here / "f")); },
      [&] {
        EXPECT_EQ(names(here), (std::vector<std::string>{"f", "g"}));
      },
      [&] { EXPECT_EQ(::lseek(file.get(), 0, SEEK_END), static_cast<off_t>(page)); },
  };
  for (const auto& look : looks) {
    look();
    const struct stat was = status(file.get());
    // Passthrough: who asks for the size alone keeps the times with it for 10 ms.
    ASSERT_OK(::usleep(50'000));
    map.data()[0] ^= 1;
    EXPECT_OK(map.sync());
    EXPECT_TRUE(before(was.st_mtim, status(file.get()).st_mtim));
  }
}

TEST_F(Mmap, OfAHoleReadsZerosAndFills) {
  const FileDescriptor file = opened(here / "f", O_CREAT | O_RDWR);
  ASSERT_OK(::ftruncate(file.get(), 8 * page));
  Mapping map(file.get(), 8 * page, PROT_READ | PROT_WRITE, MAP_SHARED);
  EXPECT_EQ(map.data()[5 * page], '\0');
  map.data()[5 * page] = 'x';
  EXPECT_OK(map.sync());
  EXPECT_EQ(contents(here / "f"), std::string(5 * page, '\0') + "x" + std::string(3 * page - 1, '\0'));
}

TEST_F(Mmap, FollowsATruncationAndRewrite) {
  make_file(here / "f", std::string(page, 'a'));
  const FileDescriptor file = opened(here / "f", O_RDWR);
  Mapping map(file.get(), page, PROT_READ, MAP_SHARED);
  EXPECT_EQ(map.data()[0], 'a');
  ASSERT_OK(::ftruncate(file.get(), 0));
  append(file.get(), std::string(page, 'b'));
  EXPECT_TRUE(map.text() == std::string(page, 'b'));
}

}  // namespace
}  // namespace conformance
