// rename(2) of directories.
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/scratch.h"

namespace conformance {
namespace {

using RenameDirectories = Scratch;

// d, d/f, d/sub, d/sub/g
void make_subtree(const Path& directory) {
  make_directory(directory);
  make_file(directory / "f", "f");
  make_directory(directory / "sub");
  make_file(directory / "sub/g", "g");
}

TEST_F(RenameDirectories, TakeEverythingAlong) {
  make_subtree(here / "d");
  const ino_t directory = inode(here / "d"), file = inode(here / "d/sub/g");
  EXPECT_OK(::rename(here / "d", here / "e"));
  EXPECT_FALSE(exists(here / "d"));
  EXPECT_EQ(names(here / "e"), (std::vector<std::string>{"f", "sub"}));
  EXPECT_EQ(contents(here / "e/sub/g"), "g");
  EXPECT_EQ(inode(here / "e"), directory);
  EXPECT_EQ(inode(here / "e/sub/g"), file);
}

TEST_F(RenameDirectories, DeepDown) {
  Path at = here;
  for (int level = 0; level < 30; ++level) {
    at = at / "level";
    make_directory(at);
  }
  make_file(at / "f", "x");
  EXPECT_OK(::rename(here / "level", here / "moved"));
  EXPECT_EQ(contents(Path(here.text() + "/moved" + at.text().substr(here.text().size() + 6)) / "f"), "x");
}

TEST_F(RenameDirectories, TheOldNameIsFreeAndEmptyAgain) {
  make_subtree(here / "d");
  EXPECT_OK(::rename(here / "d", here / "e"));
  make_directory(here / "d");
  EXPECT_TRUE(names(here / "d").empty());
  EXPECT_FALSE(exists(here / "d/f"));
  make_file(here / "d/f", "new");
  EXPECT_EQ(contents(here / "e/f"), "f");
}

TEST_F(RenameDirectories, OverAnEmptyOne) {
  make_subtree(here / "d");
  make_directory(here / "e");
  EXPECT_OK(::rename(here / "d", here / "e"));
  EXPECT_EQ(contents(here / "e/f"), "f");
}

TEST_F(RenameDirectories, OverOneThatWasEmptied) {
  make_subtree(here / "d");
  make_subtree(here / "e");
  const Outcome refused = outcome(::rename(here / "d", here / "e"));
  EXPECT_TRUE(refused.error == ENOTEMPTY || refused.error == EEXIST)
      << "POSIX lets a file system choose; " << refused.error;
  EXPECT_OK(::unlink(here / "e/f"));
  EXPECT_OK(::unlink(here / "e/sub/g"));
  EXPECT_OK(::rmdir(here / "e/sub"));
  EXPECT_OK(::rename(here / "d", here / "e"));
  EXPECT_EQ(contents(here / "e/sub/g"), "g");
}

TEST_F(RenameDirectories, NeverOverAFileNorAFileOverThem) {
  make_directory(here / "d");
  make_file(here / "f", "x");
  EXPECT_ERRNO(ENOTDIR, ::rename(here / "d", here / "f"));
  EXPECT_ERRNO(EISDIR, ::rename(here / "f", here / "d"));
  EXPECT_EQ(contents(here / "f"), "x");
}

TEST_F(RenameDirectories, NeverBelowThemselves) {
  make_subtree(here / "d");
  EXPECT_ERRNO(EINVAL, ::rename(here / "d", here / "d/inner"));
  EXPECT_ERRNO(EINVAL, ::rename(here / "d", here / "d/sub/inner"));
  EXPECT_ERRNO(ENOTEMPTY, ::rename(here / "d/sub", here / "d"));
  EXPECT_ERRNO(EINVAL, ::renameat2(AT_FDCWD, here / "d", AT_FDCWD, here / "d/sub", RENAME_EXCHANGE));
}

TEST_F(RenameDirectories, DotDotFollows) {
  make_directory(here / "a");
  make_directory(here / "b");
  make_directory(here / "a/d");
  const FileDescriptor directory = opened(here / "a/d", O_RDONLY | O_DIRECTORY);
  EXPECT_OK(::rename(here / "a/d", here / "b/e"));
  struct stat found {};
  EXPECT_OK(::fstatat(directory.get(), "..", &found, 0));
  EXPECT_EQ(found.st_ino, inode(here / "b"));
  EXPECT_EQ(inode(here / "b/e/.."), inode(here / "b"));
}

TEST_F(RenameDirectories, AWorkingDirectoryFollows) {
  make_directory(here / "a");
  make_directory(here / "a/d");
  make_directory(here / "b");
  EXPECT_OK(in_child([&]() -> long {
    if (::chdir(here / "a/d") != 0) return -1;
    if (::rename(here / "a/d", here / "b/e") != 0) return -1;
    make_file(Path("made"), "x");
    char buffer[4096];
    errno = EBADMSG;
    return std::string(::getcwd(buffer, sizeof buffer)).ends_with("/b/e") ? 0 : -1;
  }));
  EXPECT_EQ(contents(here / "b/e/made"), "x");
}

TEST_F(RenameDirectories, OpenFilesBelowGoOn) {
  make_subtree(here / "d");
  const FileDescriptor file = opened(here / "d/sub/g", O_RDWR | O_APPEND);
  EXPECT_OK(::rename(here / "d", here / "e"));
  append(file.get(), "!");
  EXPECT_EQ(contents(here / "e/sub/g"), "g!");
}

TEST_F(RenameDirectories, ExchangeSwapsTwo) {
  make_subtree(here / "d");
  make_directory(here / "e");
  make_file(here / "e/other", "e");
  EXPECT_OK(::renameat2(AT_FDCWD, here / "d", AT_FDCWD, here / "e", RENAME_EXCHANGE));
  EXPECT_EQ(names(here / "d"), std::vector<std::string>{"other"});
  EXPECT_EQ(names(here / "e"), (std::vector<std::string>{"f", "sub"}));
  EXPECT_EQ(contents(here / "e/sub/g"), "g");
}

TEST_F(RenameDirectories, SeveralTimesAndBack) {
  make_subtree(here / "d");
  make_directory(here / "x");
  EXPECT_OK(::rename(here / "d", here / "x/e"));
  EXPECT_OK(::rename(here / "x", here / "y"));
  EXPECT_OK(::rename(here / "y/e/sub", here / "sub"));
  EXPECT_OK(::rename(here / "y/e", here / "d"));
  EXPECT_EQ(names(here / "d"), std::vector<std::string>{"f"});
  EXPECT_EQ(contents(here / "sub/g"), "g");
  EXPECT_TRUE(names(here / "y").empty());
}

TEST_F(RenameDirectories, OfAParentDuringALookup) {
  make_subtree(here / "d");
  const Child renaming([&]() -> long {
    for (int round = 0; round < 200; ++round) {
      if (::rename(here / "d", here / "e") != 0 || ::rename(here / "e", here / "d") != 0) return -1;
    }
    return 0;
  });
  int seen = 0;
  for (int round = 0; round < 400; ++round) {
    for (const char* name : {"d/sub/g", "e/sub/g"}) {
      struct stat found {};
      const Outcome result = outcome(::lstat(here / name, &found));
      if (result.error == 0)
        ++seen;
      else
        EXPECT_EQ(result.error, ENOENT);
    }
  }
  EXPECT_GT(seen, 0);
}

}  // namespace
}  // namespace conformance
