// rename(2) and renameat2(2) of files; directories are in rename_directories_test.cc.
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/scratch.h"

namespace conformance {
namespace {

using Renames = Scratch;

long rename_with(const Path& from, const Path& to, unsigned flags) {
  return ::renameat2(AT_FDCWD, from, AT_FDCWD, to, flags);
}

TEST_F(Renames, MoveAName) {
  make_file(here / "f", "x", 0640);
  const ino_t number = inode(here / "f");
  EXPECT_OK(::rename(here / "f", here / "g"));
  EXPECT_FALSE(exists(here / "f"));
  EXPECT_EQ(inode(here / "g"), number);
  EXPECT_EQ(contents(here / "g"), "x");
  EXPECT_EQ(names(here), std::vector<std::string>{"g"});
}

TEST_F(Renames, BetweenDirectories) {
  make_directory(here / "a");
  make_directory(here / "b");
  make_file(here / "a/f", "x");
  EXPECT_OK(::rename(here / "a/f", here / "b/g"));
  EXPECT_TRUE(names(here / "a").empty());
  EXPECT_EQ(contents(here / "b/g"), "x");
}

TEST_F(Renames, ReplaceAFileAtomically) {
  make_file(here / "f", "new");
  make_file(here / "g", "old");
  const FileDescriptor old = opened(here / "g", O_RDONLY);
  EXPECT_OK(::rename(here / "f", here / "g"));
  EXPECT_EQ(contents(here / "g"), "new");
  EXPECT_EQ(contents(old.get()), "old");
  EXPECT_EQ(status(old.get()).st_nlink, 0U);
}

TEST_F(Renames, AReplacedNameIsNeverAbsent) {
  make_file(here / "f", "0");
  const Child replacing([&]() -> long {
    for (int round = 1; round <= 300; ++round) {
      make_file(here / "new", std::to_string(round));
      if (::rename(here / "new", here / "f") != 0) return -1;
    }
    return 0;
  });
  for (int round = 0; round < 300; ++round) EXPECT_FALSE(contents(here / "f").empty());
}

TEST_F(Renames, OntoItselfDoNothing) {
  make_file(here / "f", "x");
  make_link(here / "f", here / "g");
  EXPECT_OK(::rename(here / "f", here / "f"));
  EXPECT_OK(::rename(here / "f", here / "g"));
  EXPECT_EQ(names(here), (std::vector<std::string>{"f", "g"})) << "both names of one file stay";
}

TEST_F(Renames, ReplacingOneOfTwoLinksKeepsTheOther) {
  make_file(here / "f", "old");
  make_link(here / "f", here / "g");
  make_file(here / "h", "new");
  EXPECT_OK(::rename(here / "h", here / "g"));
  EXPECT_EQ(contents(here / "f"), "old");
  EXPECT_EQ(status(here / "f").st_nlink, 1U);
  EXPECT_EQ(contents(here / "g"), "new");
}

TEST_F(Renames, AbsentSourceOrDirectory) {
  make_file(here / "f");
  EXPECT_ERRNO(ENOENT, ::rename(here / "absent", here / "g"));
  EXPECT_ERRNO(ENOENT, ::rename(here / "f", here / "d/g"));
  EXPECT_ERRNO(ENOENT, ::rename(here / "d/f", here / "g"));
  EXPECT_ERRNO(ENOTDIR, ::rename(here / "f", here / "f/g"));
}

TEST_F(Renames, OfAFileWithASlashAtTheEnd) {
  make_file(here / "f");
  EXPECT_ERRNO(ENOTDIR, ::rename(here / "f/", here / "g"));
  EXPECT_ERRNO(ENOTDIR, ::rename(here / "f", here / "g/"));
}

TEST_F(Renames, DescriptorsFollow) {
  make_file(here / "f", "x");
  const FileDescriptor file = opened(here / "f", O_RDWR | O_APPEND);
  EXPECT_OK(::rename(here / "f", here / "g"));
  append(file.get(), "y");
  EXPECT_EQ(contents(here / "g"), "xy");
  EXPECT_OK(::fchmod(file.get(), 0611));
  EXPECT_EQ(status(here / "g").st_mode & 07777, 0611U);
  char buffer[4096];
  const std::string in_proc = "/proc/self/fd/" + std::to_string(file.get());
  const ssize_t length = ::readlink(in_proc.c_str(), buffer, sizeof buffer);
  ASSERT_GT(length, 0);
  EXPECT_TRUE(std::string(buffer, static_cast<std::size_t>(length)).ends_with("/g"));
}

TEST_F(Renames, TheOldNameIsFree) {
  make_file(here / "f", "old");
  EXPECT_OK(::rename(here / "f", here / "g"));
  make_file(here / "f", "new");
  EXPECT_EQ(contents(here / "f"), "new");
  EXPECT_EQ(contents(here / "g"), "old");
  EXPECT_NE(inode(here / "f"), inode(here / "g"));
}

TEST_F(Renames, ChangeBothDirectoriesTimes) {
  make_directory(here / "a");
  make_directory(here / "b");
  make_file(here / "a/f");
  const struct stat was_a = status(here / "a"), was_b = status(here / "b");
  let_time_pass();
  EXPECT_OK(::rename(here / "a/f", here / "b/f"));
  EXPECT_TRUE(before(was_a.st_mtim, status(here / "a").st_mtim));
  EXPECT_TRUE(before(was_b.st_mtim, status(here / "b").st_mtim));
  EXPECT_TRUE(before(was_b.st_ctim, status(here / "b").st_ctim));
}

TEST_F(Renames, ChangeTheCtimeAndNotTheMtimeOfTheFile) {
  make_file(here / "f");
  const struct stat was = status(here / "f");
  let_time_pass();
  EXPECT_OK(::rename(here / "f", here / "g"));
  EXPECT_TRUE(before(was.st_ctim, status(here / "g").st_ctim));
  EXPECT_TRUE(same_time(was.st_mtim, status(here / "g").st_mtim));
}

TEST_F(Renames, NoreplaceRefusesWhatIsThere) {
  make_file(here / "f", "f");
  make_file(here / "g", "g");
  make_directory(here / "d");
  EXPECT_ERRNO(EEXIST, rename_with(here / "f", here / "g", RENAME_NOREPLACE));
  EXPECT_ERRNO(EEXIST, rename_with(here / "f", here / "d", RENAME_NOREPLACE));
  EXPECT_OK(rename_with(here / "f", here / "h", RENAME_NOREPLACE));
  EXPECT_EQ(contents(here / "g"), "g");
  EXPECT_EQ(contents(here / "h"), "f");
}

TEST_F(Renames, ExchangeSwapsTwoFiles) {
  make_file(here / "f", "f");
  make_file(here / "g", "g");
  const ino_t f = inode(here / "f"), g = inode(here / "g");
  EXPECT_OK(rename_with(here / "f", here / "g", RENAME_EXCHANGE));
  EXPECT_EQ(contents(here / "f"), "g");
  EXPECT_EQ(contents(here / "g"), "f");
  EXPECT_EQ(inode(here / "f"), g);
  EXPECT_EQ(inode(here / "g"), f);
}

TEST_F(Renames, ExchangeSwapsKinds) {
  make_directory(here / "d");
  make_file(here / "d/inner", "x");
  make_file(here / "sub");
  EXPECT_OK(rename_with(here / "d", here / "sub", RENAME_EXCHANGE));
  EXPECT_TRUE(S_ISREG(status(here / "d").st_mode));
  EXPECT_EQ(contents(here / "sub/inner"), "x");
  make_symlink(here / "l", "target");
  EXPECT_OK(rename_with(here / "l", here / "sub", RENAME_EXCHANGE));
  EXPECT_EQ(link_target(here / "sub"), "target");
  EXPECT_EQ(contents(here / "l/inner"), "x");
}

TEST_F(Renames, ExchangeAcrossDirectories) {
  make_directory(here / "a");
  make_directory(here / "b");
  make_file(here / "a/f", "f");
  make_directory(here / "b/g");
  make_file(here / "b/g/inner", "g");
  EXPECT_OK(rename_with(here / "a/f", here / "b/g", RENAME_EXCHANGE));
  EXPECT_EQ(contents(here / "a/f/inner"), "g");
  EXPECT_EQ(contents(here / "b/g"), "f");
}

TEST_F(Renames, ExchangeNeedsBoth) {
  make_file(here / "f", "x");
  EXPECT_ERRNO(ENOENT, rename_with(here / "f", here / "absent", RENAME_EXCHANGE));
  EXPECT_ERRNO(ENOENT, rename_with(here / "absent", here / "f", RENAME_EXCHANGE));
  EXPECT_EQ(contents(here / "f"), "x");
}

TEST_F(Renames, WrongFlagsAreRefused) {
  make_file(here / "f");
  make_file(here / "g");
  EXPECT_ERRNO(EINVAL, rename_with(here / "f", here / "g", RENAME_NOREPLACE | RENAME_EXCHANGE));
  EXPECT_ERRNO(EINVAL, rename_with(here / "f", here / "g", 1U << 20));
}

TEST_F(Renames, OfSpecialFiles) {
  ASSERT_OK(::mknod(here / "fifo", S_IFIFO | 0640, 0));
  EXPECT_OK(::rename(here / "fifo", here / "g"));
  EXPECT_EQ(status(here / "g").st_mode, S_IFIFO | 0640U);
}

TEST_F(Renames, InACircle) {
  for (const char* name : {"a", "b", "c"}) make_file(here / name, name);
  for (int round = 0; round < 9; ++round) {
    ASSERT_OK(::rename(here / "a", here / "t"));
    ASSERT_OK(::rename(here / "b", here / "a"));
    ASSERT_OK(::rename(here / "c", here / "b"));
    ASSERT_OK(::rename(here / "t", here / "c"));
  }
  EXPECT_EQ(names(here), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(contents(here / "a"), "a");
  EXPECT_EQ(contents(here / "c"), "c");
}

}  // namespace
}  // namespace conformance
