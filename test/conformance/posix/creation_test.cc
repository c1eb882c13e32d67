// Opening and creating files.
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "support/scratch.h"

namespace conformance {
namespace {

using Creation = Scratch;

long openat2(int directory, const char* path, std::uint64_t flags, std::uint64_t resolve) {
  open_how how{};
  how.flags = flags;
  how.resolve = resolve;
  const long number = ::syscall(SYS_openat2, directory, path, &how, sizeof how);
  if (number >= 0) ::close(static_cast<int>(number));
  return number < 0 ? -1 : 0;
}

TEST_F(Creation, MakesAnEmptyFile) {
  EXPECT_TRUE(opened(here / "f", O_CREAT | O_WRONLY, 0640).valid());
  const struct stat found = status(here / "f");
  EXPECT_TRUE(S_ISREG(found.st_mode));
  EXPECT_EQ(found.st_mode & 07777, 0640U);
  EXPECT_EQ(found.st_size, 0);
  EXPECT_EQ(found.st_nlink, 1U);
}

TEST_F(Creation, OpensWhatIsThere) {
  make_file(here / "f", "content", 0600);
  const FileDescriptor file = opened(here / "f", O_CREAT | O_RDONLY, 0644);
  EXPECT_EQ(contents(file.get()), "content");
  EXPECT_EQ(status(here / "f").st_mode & 07777, 0600U) << "the mode counts only for a new file";
}

TEST_F(Creation, ExclusiveRefusesWhatIsThere) {
  make_file(here / "f", "x");
  make_directory(here / "d");
  EXPECT_ERRNO(EEXIST, ::open(here / "f", O_CREAT | O_EXCL | O_WRONLY, 0644));
  EXPECT_ERRNO(EEXIST, ::open(here / "d", O_CREAT | O_EXCL | O_WRONLY, 0644));
  EXPECT_ERRNO(EEXIST, ::mknod(here / "f", S_IFREG | 0644, 0));
  EXPECT_ERRNO(EEXIST, ::mkdir(here / "f", 0755));
  EXPECT_ERRNO(EEXIST, ::symlink("t", here / "f"));
  EXPECT_EQ(contents(here / "f"), "x");
}

TEST_F(Creation, ExclusiveLetsExactlyOneWin) {
  for (int round = 0; round < 20; ++round) {
    const Path path = here / std::to_string(round);
    int winners = 0;
    for (const Outcome& result :
         at_once(6, [&](int) -> long { return ::open(path, O_CREAT | O_EXCL | O_WRONLY, 0644); })) {
      if (result.error == 0)
        ++winners;
      else
        EXPECT_EQ(result.error, EEXIST);
    }
    EXPECT_EQ(winners, 1);
  }
}

TEST_F(Creation, TruncationEmptiesForAllDescriptors) {
  make_file(here / "f", "content");
  const FileDescriptor before = opened(here / "f", O_RDONLY);
  EXPECT_EQ(contents(before.get()), "content");
  const FileDescriptor truncating = opened(here / "f", O_WRONLY | O_TRUNC);
  EXPECT_EQ(status(before.get()).st_size, 0);
  EXPECT_EQ(contents(before.get()), "");
  append(truncating.get(), "new");
  EXPECT_EQ(contents(before.get()), "new");
}

TEST_F(Creation, TruncationByOpenKeepsTheInode) {
  make_file(here / "f", "content");
  const ino_t number = inode(here / "f");
  EXPECT_TRUE(opened(here / "f", O_CREAT | O_TRUNC | O_WRONLY).valid());
  EXPECT_EQ(inode(here / "f"), number);
  EXPECT_EQ(status(here / "f").st_size, 0);
}

TEST_F(Creation, DirectoriesOpenForReadingOnly) {
  make_directory(here / "d");
  EXPECT_ERRNO(EISDIR, ::open(here / "d", O_WRONLY));
  EXPECT_ERRNO(EISDIR, ::open(here / "d", O_RDWR));
  EXPECT_ERRNO(EISDIR, ::open(here / "d", O_CREAT | O_RDONLY, 0644));
  EXPECT_ERRNO(EISDIR, ::open(here / "d", O_RDONLY | O_TRUNC));
  const FileDescriptor directory = opened(here / "d", O_RDONLY);
  char byte = 0;
  EXPECT_ERRNO(EISDIR, ::read(directory.get(), &byte, 1));
}

TEST_F(Creation, OdirectoryRefusesAFile) {
  make_file(here / "f");
  EXPECT_ERRNO(ENOTDIR, ::open(here / "f", O_RDONLY | O_DIRECTORY));
}

TEST_F(Creation, AbsentFileOrDirectory) {
  EXPECT_ERRNO(ENOENT, ::open(here / "f", O_RDONLY));
  EXPECT_ERRNO(ENOENT, ::open(here / "d/f", O_CREAT | O_WRONLY, 0644));
  EXPECT_ERRNO(ENOENT, ::mkdir(here / "d/e", 0755));
}

TEST_F(Creation, ByMknod) {
  EXPECT_OK(::mknod(here / "f", S_IFREG | 0604, 0));
  EXPECT_EQ(status(here / "f").st_mode, S_IFREG | 0604U);
  overwrite(here / "f", "x");
  EXPECT_EQ(contents(here / "f"), "x");
  EXPECT_ERRNO(EPERM, ::mknod(here / "d", S_IFDIR | 0755, 0));
}

TEST_F(Creation, AtADirectoryDescriptor) {
  make_directory(here / "d");
  const FileDescriptor directory = opened(here / "d", O_PATH | O_DIRECTORY);
  ASSERT_OK(::rename(here / "d", here / "e"));
  const FileDescriptor file(::openat(directory.get(), "f", O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
  EXPECT_TRUE(file.valid());
  EXPECT_TRUE(exists(here / "e/f"));
}

TEST_F(Creation, InARemovedDirectoryFails) {
  make_directory(here / "d");
  const FileDescriptor directory = opened(here / "d", O_RDONLY | O_DIRECTORY);
  ASSERT_OK(::rmdir(here / "d"));
  EXPECT_ERRNO(ENOENT, ::openat(directory.get(), "f", O_CREAT | O_WRONLY, 0644));
  EXPECT_ERRNO(ENOENT, ::mkdirat(directory.get(), "f", 0755));
  EXPECT_ERRNO(ENOENT, ::mknodat(directory.get(), "f", S_IFIFO | 0644, 0));
  EXPECT_ERRNO(ENOENT, ::symlinkat("t", directory.get(), "f"));
  make_file(here / "g");
  EXPECT_ERRNO(ENOENT, ::linkat(AT_FDCWD, here / "g", directory.get(), "f", 0));
  EXPECT_ERRNO(ENOENT, ::renameat(AT_FDCWD, here / "g", directory.get(), "f"));
  EXPECT_TRUE(exists(here / "g"));
}

TEST_F(Creation, ResolvesBeneathADirectory) {
  make_directory(here / "d");
  make_file(here / "d/f");
  make_file(here / "outside");
  make_symlink(here / "d/out", "../outside");
  make_symlink(here / "d/in", "f");
  const FileDescriptor directory = opened(here / "d", O_PATH | O_DIRECTORY);
  EXPECT_OK(openat2(directory.get(), "in", O_RDONLY, RESOLVE_BENEATH));
  EXPECT_ERRNO(EXDEV, openat2(directory.get(), "out", O_RDONLY, RESOLVE_BENEATH));
  EXPECT_ERRNO(EXDEV, openat2(directory.get(), "../outside", O_RDONLY, RESOLVE_BENEATH));
  EXPECT_ERRNO(ELOOP, openat2(directory.get(), "in", O_RDONLY, RESOLVE_NO_SYMLINKS));
  EXPECT_OK(openat2(directory.get(), "/f", O_RDONLY, RESOLVE_IN_ROOT));
}

TEST_F(Creation, ReopensThroughProc) {
  make_file(here / "f", "x");
  const FileDescriptor file = opened(here / "f", O_PATH);
  const FileDescriptor again = opened(Path("/proc/self/fd/" + std::to_string(file.get())), O_RDWR);
  append(again.get(), "yz");
  EXPECT_EQ(contents(here / "f"), "yz");
}

TEST_F(Creation, ManyFilesAreOpenAtOnce) {
  std::vector<FileDescriptor> files;
  for (int number = 0; number < 500; ++number) {
    files.push_back(opened(here / std::to_string(number), O_CREAT | O_RDWR, 0644));
    append(files.back().get(), std::to_string(number));
  }
  for (int number = 0; number < 500; ++number) EXPECT_EQ(contents(files[number].get()), std::to_string(number));
}

}  // namespace
}  // namespace conformance
