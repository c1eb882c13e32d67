// Names and paths: their bytes, their lengths, and what lies between the slashes.
#include <fcntl.h>
#include <unistd.h>

#include <climits>

#include "support/scratch.h"

namespace conformance {
namespace {

using Names = Scratch;

const std::string longest(NAME_MAX, 'n');
const std::string too_long(NAME_MAX + 1, 'n');

TEST_F(Names, Of255BytesWork) {
  make_file(here / longest, "x");
  EXPECT_EQ(contents(here / longest), "x");
  EXPECT_EQ(names(here), std::vector{longest});
  EXPECT_OK(::rename(here / longest, here / std::string(NAME_MAX, 'm')));
  EXPECT_OK(::unlink(here / std::string(NAME_MAX, 'm')));
}

TEST_F(Names, Of256BytesAreRefusedByEveryCall) {
  make_file(here / "f");
  make_directory(here / "d");
  struct stat found {};
  EXPECT_ERRNO(ENAMETOOLONG, ::lstat(here / too_long, &found));
  EXPECT_ERRNO(ENAMETOOLONG, ::open(here / too_long, O_CREAT | O_WRONLY, 0644));
  EXPECT_ERRNO(ENAMETOOLONG, ::mkdir(here / too_long, 0755));
  EXPECT_ERRNO(ENAMETOOLONG, ::mknod(here / too_long, S_IFIFO | 0644, 0));
  EXPECT_ERRNO(ENAMETOOLONG, ::symlink("t", here / too_long));
  EXPECT_ERRNO(ENAMETOOLONG, ::link(here / "f", here / too_long));
  EXPECT_ERRNO(ENAMETOOLONG, ::rename(here / "f", here / too_long));
  EXPECT_ERRNO(ENAMETOOLONG, ::rename(here / too_long, here / "g"));
  EXPECT_ERRNO(ENAMETOOLONG, ::unlink(here / too_long));
  EXPECT_ERRNO(ENAMETOOLONG, ::rmdir(here / too_long));
  EXPECT_EQ(names(here), (std::vector<std::string>{"d", "f"}));
}

TEST_F(Names, HoldAnyByteButSlashAndNul) {
  for (int byte = 1; byte < 256; ++byte) {
    if (byte == '/' || byte == '.') continue;
    make_file(here / std::string(1, static_cast<char>(byte)), std::to_string(byte));
  }
  EXPECT_EQ(names(here).size(), 253U);
  for (const std::string& name : names(here)) {
    EXPECT_EQ(contents(here / name), std::to_string(static_cast<unsigned char>(name[0])));
  }
}

TEST_F(Names, AreNotNormalised) {
  const std::string composed = "\xc3\xa9", decomposed = "e\xcc\x81", invalid = "\xff\xfe\x80";
  for (const std::string& name : {composed, decomposed, invalid, std::string("e"), std::string("E")}) {
    make_file(here / name, name);
  }
  EXPECT_EQ(names(here).size(), 5U);
  EXPECT_EQ(contents(here / composed), composed);
  EXPECT_EQ(contents(here / decomposed), decomposed);
  EXPECT_EQ(contents(here / invalid), invalid);
  EXPECT_EQ(contents(here / "E"), "E");
}

TEST_F(Names, OfDotsAndBlanksAreOrdinary) {
  for (const char* name : {"...", "..a", ".hidden", " ", "a b", "\n", "-rf", "*", "\\"}) make_file(here / name, name);
  for (const char* name : {"...", "..a", ".hidden", " ", "a b", "\n", "-rf", "*", "\\"}) {
    EXPECT_EQ(contents(here / name), name);
  }
}

TEST_F(Names, ThatLookLikeOtherDriversMarksAreOrdinary) {
  for (const char* name : {".wh.f", ".wh..wh..opq", ".fuse_hidden0000", ".lamina"}) {
    make_file(here / name, name);
    EXPECT_EQ(contents(here / name), name);
  }
  EXPECT_EQ(names(here).size(), 4U);
}

TEST_F(Names, PathsOf4095BytesWorkAndOf4096AreRefused) {
  std::string path = here.text();
  while (path.size() + 202 < PATH_MAX - 1) {
    path += "/" + std::string(200, 'd');
    ASSERT_OK(::mkdir(path.c_str(), 0755));
  }
  const std::string exact = path + "/" + std::string(PATH_MAX - 2 - path.size(), 'f');
  ASSERT_EQ(exact.size(), static_cast<std::size_t>(PATH_MAX - 1));
  make_file(Path(exact), "deep");
  EXPECT_EQ(contents(Path(exact)), "deep");
  EXPECT_ERRNO(ENAMETOOLONG, ::open((exact + "f").c_str(), O_CREAT | O_WRONLY, 0644));
  EXPECT_OK(::unlink(exact.c_str()));
}

TEST_F(Names, DirectoriesNestDeeperThanPathMax) {
  const int depth = 60;
  FileDescriptor at = opened(here, O_RDONLY | O_DIRECTORY);
  for (int level = 0; level < depth; ++level) {
    ASSERT_OK(::mkdirat(at.get(), longest.c_str(), 0755));
    FileDescriptor below(::openat(at.get(), longest.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    ASSERT_TRUE(below.valid()) << level;
    at = std::move(below);
  }
  const FileDescriptor file(::openat(at.get(), "f", O_CREAT | O_RDWR | O_CLOEXEC, 0644));
  ASSERT_TRUE(file.valid());
  append(file.get(), "bottom");
  EXPECT_EQ(contents(file.get()), "bottom");
  EXPECT_OK(::unlinkat(at.get(), "f", 0));
  for (int level = 0; level < depth; ++level) {
    FileDescriptor above(::openat(at.get(), "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    ASSERT_TRUE(above.valid()) << level;
    ASSERT_OK(::unlinkat(above.get(), longest.c_str(), AT_REMOVEDIR));
    at = std::move(above);
  }
}

TEST_F(Names, EmptyPathIsAbsent) {
  struct stat found {};
  EXPECT_ERRNO(ENOENT, ::lstat("", &found));
  EXPECT_ERRNO(ENOENT, ::open("", O_RDONLY));
  EXPECT_ERRNO(ENOENT, ::rename("", here / "x"));
  EXPECT_ERRNO(ENOENT, ::symlink("", here / "x"));
}

TEST_F(Names, DotsResolve) {
  make_directory(here / "d");
  make_file(here / "f", "x");
  EXPECT_EQ(contents(here / "d/../f"), "x");
  EXPECT_EQ(contents(here / "d/.././d/..//./f"), "x");
  EXPECT_EQ(inode(here / "d/."), inode(here / "d"));
  EXPECT_EQ(inode(here / "d/.."), inode(here));
}

TEST_F(Names, DotsCannotBeRemovedMadeOrRenamed) {
  make_directory(here / "d");
  make_directory(here / "d/e");
  EXPECT_ERRNO(EINVAL, ::rmdir(here / "d/e/."));
  EXPECT_ERRNO(ENOTEMPTY, ::rmdir(here / "d/e/.."));
  EXPECT_ERRNO(EEXIST, ::mkdir(here / "d/.", 0755));
  EXPECT_ERRNO(EEXIST, ::mkdir(here / "d/..", 0755));
  EXPECT_ERRNO(EBUSY, ::rename(here / "d/.", here / "x"));
  EXPECT_ERRNO(EBUSY, ::rename(here / "d/..", here / "x"));
  EXPECT_ERRNO(EISDIR, ::unlink(here / "d/."));
}

TEST_F(Names, AFileInAPathIsNoDirectory) {
  make_file(here / "f");
  struct stat found {};
  EXPECT_ERRNO(ENOTDIR, ::lstat(here / "f/x", &found));
  EXPECT_ERRNO(ENOTDIR, ::lstat(here / "f/.", &found));
  EXPECT_ERRNO(ENOTDIR, ::lstat(here / "f/", &found));
  EXPECT_ERRNO(ENOTDIR, ::open(here / "f/x", O_CREAT | O_WRONLY, 0644));
  EXPECT_ERRNO(ENOTDIR, ::mkdir(here / "f/x", 0755));
  EXPECT_ERRNO(ENOTDIR, ::unlink(here / "f/x"));
  EXPECT_ERRNO(ENOTDIR, ::rename(here / "f/x", here / "y"));
  EXPECT_ERRNO(ENOTDIR, ::unlink(here / "f/"));
}

TEST_F(Names, ASlashAtTheEndAsksForADirectory) {
  EXPECT_OK(::mkdir(here / "d/", 0755));
  EXPECT_OK(::access(here / "d/", F_OK));
  EXPECT_ERRNO(EISDIR, ::open(here / "new/", O_CREAT | O_WRONLY, 0644));
  EXPECT_ERRNO(ENOENT, ::symlink("d", here / "link/"));
  EXPECT_OK(::rename(here / "d/", here / "e/"));
  EXPECT_OK(::rmdir(here / "e/"));
}

TEST_F(Names, AbsentOneIsSeenOnceItIsMade) {
  for (int round = 0; round < 3; ++round) {
    EXPECT_FALSE(exists(here / "f"));
    make_file(here / "f");
    EXPECT_TRUE(exists(here / "f"));
    EXPECT_OK(::unlink(here / "f"));
    EXPECT_FALSE(exists(here / "f"));
    make_directory(here / "f");
    EXPECT_TRUE(S_ISDIR(status(here / "f").st_mode));
    EXPECT_OK(::rmdir(here / "f"));
  }
}

TEST_F(Names, MadeByAnotherProcessAreSeenAtOnce) {
  EXPECT_FALSE(exists(here / "f"));
  EXPECT_OK(in_child([&]() -> long { return ::mkdir(here / "f", 0755); }));
  EXPECT_TRUE(exists(here / "f"));
  EXPECT_OK(in_child([&]() -> long { return ::rmdir(here / "f"); }));
  EXPECT_FALSE(exists(here / "f"));
}

}  // namespace
}  // namespace conformance
