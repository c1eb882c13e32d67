// Listing directories.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <set>

#include "support/scratch.h"

namespace conformance {
namespace {

using Readdir = Scratch;

// The next name, or empty at the end.
std::string next(const Stream& stream) {
  errno = 0;
  const dirent* entry = ::readdir(stream.get());
  require(entry != nullptr || errno == 0, "readdir");
  return entry == nullptr ? "" : entry->d_name;
}

// How often each name comes until the end.
std::map<std::string, int> rest_of(const Stream& stream) {
  std::map<std::string, int> seen;
  for (std::string name = next(stream); !name.empty(); name = next(stream)) ++seen[name];
  return seen;
}

void fill(const Path& directory, int count) {
  for (int number = 0; number < count; ++number) make_file(directory / ("file-" + std::to_string(number)));
}

TEST_F(Readdir, GivesEveryNameOnceWithDots) {
  fill(here, 300);
  make_directory(here / "d");
  const auto seen = rest_of(open_stream(here));
  EXPECT_EQ(seen.size(), 303U);
  for (const auto& [name, times] : seen) EXPECT_EQ(times, 1) << name;
  EXPECT_TRUE(seen.contains("."));
  EXPECT_TRUE(seen.contains(".."));
}

TEST_F(Readdir, TellsTypesAndInodes) {
  make_file(here / "file");
  make_directory(here / "directory");
  make_symlink(here / "link", "t");
  ASSERT_OK(::mknod(here / "fifo", S_IFIFO | 0644, 0));
  ASSERT_OK(::mknod(here / "null", S_IFCHR | 0644, 0x103));
  const std::map<std::string, int> types = {
      {"file", DT_REG}, {"directory", DT_DIR}, {"link", DT_LNK}, {"fifo", DT_FIFO}, {"null", DT_CHR}};
  const Stream stream = open_stream(here);
  while (const dirent* entry = ::readdir(stream.get())) {
    const std::string name = entry->d_name;
    if (name == ".") {
      EXPECT_EQ(entry->d_ino, inode(here));
    }
    if (name == "..") {
      EXPECT_EQ(entry->d_ino, inode(here / ".."));
    }
    if (!types.contains(name)) continue;
    EXPECT_EQ(entry->d_type, types.at(name)) << name;
    EXPECT_EQ(entry->d_ino, inode(here / name)) << name;
  }
}

TEST_F(Readdir, ResumesAtEveryPosition) {
  fill(here, 60);
  const Stream stream = open_stream(here);
  std::vector<long> positions;
  std::vector<std::string> order;
  for (;;) {
    positions.push_back(::telldir(stream.get()));
    const std::string name = next(stream);
    if (name.empty()) break;
    order.push_back(name);
  }
  ASSERT_EQ(order.size(), 62U);
  for (std::size_t at = order.size(); at-- > 0;) {
    ::seekdir(stream.get(), positions[at]);
    EXPECT_EQ(next(stream), order[at]);
  }
}

TEST_F(Readdir, RewindSeesWhatIsNew) {
  fill(here, 10);
  const Stream stream = open_stream(here);
  EXPECT_EQ(rest_of(stream).size(), 12U);
  make_file(here / "new");
  EXPECT_OK(::unlink(here / "file-3"));
  ::rewinddir(stream.get());
  const auto seen = rest_of(stream);
  EXPECT_TRUE(seen.contains("new"));
  EXPECT_FALSE(seen.contains("file-3"));
}

TEST_F(Readdir, SmallBuffersSuffice) {
  fill(here, 200);
  const FileDescriptor directory = opened(here, O_RDONLY | O_DIRECTORY);
  std::set<std::string> seen;
  alignas(8) char buffer[64];
  for (;;) {
    const long length = ::syscall(SYS_getdents64, directory.get(), buffer, sizeof buffer);
    ASSERT_GE(length, 0) << error_text(errno);
    if (length == 0) break;
    for (long at = 0; at < length;) {
      const auto* entry = reinterpret_cast<const dirent64*>(buffer + at);
      EXPECT_TRUE(seen.insert(entry->d_name).second) << entry->d_name;
      at += entry->d_reclen;
    }
  }
  EXPECT_EQ(seen.size(), 202U);
}

TEST_F(Readdir, ATooSmallBufferIsRefused) {
  make_file(here / std::string(200, 'n'));
  const FileDescriptor directory = opened(here, O_RDONLY | O_DIRECTORY);
  alignas(8) char buffer[16];
  EXPECT_ERRNO(EINVAL, ::syscall(SYS_getdents64, directory.get(), buffer, sizeof buffer));
}

TEST_F(Readdir, OfTwentyThousandEntries) {
  fill(here, 20000);
  const auto seen = rest_of(open_stream(here));
  EXPECT_EQ(seen.size(), 20002U);
  EXPECT_TRUE(std::all_of(seen.begin(), seen.end(), [](const auto& entry) { return entry.second == 1; }));
}

TEST_F(Readdir, RemovingWhileListingMissesNothing) {
  // As rm -r does it.
  fill(here, 3000);
  const Stream stream = open_stream(here);
  int removed = 0;
  for (std::string name = next(stream); !name.empty(); name = next(stream)) {
    if (name == "." || name == "..") continue;
    ASSERT_OK(::unlink(here / name));
    ++removed;
  }
  EXPECT_EQ(removed, 3000);
  EXPECT_TRUE(names(here).empty());
}

TEST_F(Readdir, WhatStaysIsListedOnceWhateverComesAndGoes) {
  fill(here, 1000);
  const Child busy([&]() -> long {
    for (int round = 0; round < 600; ++round) {
      make_file(here / ("other-" + std::to_string(round)));
      if (round >= 20 && ::unlink(here / ("other-" + std::to_string(round - 20))) != 0) return -1;
    }
    return 0;
  });
  for (int round = 0; round < 10; ++round) {
    const auto seen = rest_of(open_stream(here));
    for (int number = 0; number < 1000; ++number) {
      const auto found = seen.find("file-" + std::to_string(number));
      ASSERT_NE(found, seen.end()) << number;
      ASSERT_EQ(found->second, 1) << number;
    }
  }
}

TEST_F(Readdir, RenamingWhileListingKeepsTheOthers) {
  fill(here, 500);
  const Stream stream = open_stream(here);
  std::map<std::string, int> seen;
  int renamed = 0;
  for (std::string name = next(stream); !name.empty(); name = next(stream)) {
    ++seen[name];
    if (renamed < 100) {
      const std::string number = std::to_string(400 + renamed++);
      ASSERT_OK(::rename(here / ("file-" + number), here / ("moved-" + number)));
    }
  }
  for (int number = 0; number < 400; ++number) EXPECT_EQ(seen["file-" + std::to_string(number)], 1) << number;
}

TEST_F(Readdir, StreamsAreIndependent) {
  fill(here, 100);
  const Stream one = open_stream(here), two = open_stream(here);
  for (int round = 0; round < 50; ++round) next(one);
  EXPECT_EQ(rest_of(two).size(), 102U);
  EXPECT_EQ(rest_of(one).size(), 52U);
}

TEST_F(Readdir, ADirectoryOpenedBeforeAnEntryCameListsIt) {
  const Stream stream = open_stream(here);
  make_file(here / "late");
  EXPECT_TRUE(rest_of(stream).contains("late"));
}

TEST_F(Readdir, SharesTheOffsetOfADuplicatedDescriptor) {
  fill(here, 10);
  const FileDescriptor directory = opened(here, O_RDONLY | O_DIRECTORY);
  alignas(8) char buffer[4096];
  EXPECT_GT(::syscall(SYS_getdents64, directory.get(), buffer, sizeof buffer), 0);
  const FileDescriptor copy(::dup(directory.get()));
  EXPECT_EQ(::syscall(SYS_getdents64, copy.get(), buffer, sizeof buffer), 0);
  EXPECT_EQ(::lseek(directory.get(), 0, SEEK_SET), 0);
  EXPECT_GT(::syscall(SYS_getdents64, copy.get(), buffer, sizeof buffer), 0);
}

TEST_F(Readdir, NeedsADirectory) {
  make_file(here / "f");
  const FileDescriptor file = opened(here / "f", O_RDONLY);
  alignas(8) char buffer[4096];
  EXPECT_ERRNO(ENOTDIR, ::syscall(SYS_getdents64, file.get(), buffer, sizeof buffer));
}

}  // namespace
}  // namespace conformance
