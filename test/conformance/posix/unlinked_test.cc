// Files that are open and have no name any more.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "support/scratch.h"

namespace conformance {
namespace {

// A file with content "content", open for both and unlinked.
class Unlinked : public Scratch {
 protected:
  void SetUp() override {
    Scratch::SetUp();
    make_file(here / "f", "content", 0644);
    file = opened(here / "f", O_RDWR);
    ASSERT_OK(::unlink(here / "f"));
  }

  FileDescriptor file;
};

TEST_F(Unlinked, IsReadAndWritten) {
  EXPECT_EQ(contents(file.get()), "content");
  EXPECT_EQ(::pwrite(file.get(), "more", 4, 7), 4);
  EXPECT_EQ(contents(file.get()), "contentmore");
  EXPECT_OK(::fsync(file.get()));
}

TEST_F(Unlinked, HasNoLinksAndNoEntry) {
  EXPECT_EQ(status(file.get()).st_nlink, 0U);
  EXPECT_EQ(status(file.get()).st_size, 7);
  EXPECT_TRUE(names(here).empty());
  EXPECT_OK(::rmdir(here));
}

TEST_F(Unlinked, IsTruncatedAndAllocated) {
  EXPECT_OK(::ftruncate(file.get(), 3));
  EXPECT_EQ(contents(file.get()), "con");
  EXPECT_OK(::fallocate(file.get(), 0, 0, 10000));
  EXPECT_EQ(status(file.get()).st_size, 10000);
}

TEST_F(Unlinked, TakesAttributes) {
  EXPECT_OK(::fchmod(file.get(), 0600));
  EXPECT_OK(::fchown(file.get(), 3, 4));
  const timespec times[2] = {{5, 6}, {7, 8}};
  EXPECT_OK(::futimens(file.get(), times));
  const struct stat found = status(file.get());
  EXPECT_EQ(found.st_mode & 07777, 0600U);
  EXPECT_EQ(found.st_uid, 3U);
  EXPECT_EQ(found.st_mtim.tv_sec, 7);
}

TEST_F(Unlinked, TakesXattrs) {
  EXPECT_OK(::fsetxattr(file.get(), "user.k", "v", 1, 0));
  char byte = 0;
  EXPECT_EQ(::fgetxattr(file.get(), "user.k", &byte, 1), 1);
  EXPECT_EQ(byte, 'v');
  EXPECT_OK(::fremovexattr(file.get(), "user.k"));
  EXPECT_ERRNO(ENODATA, ::fgetxattr(file.get(), "user.k", &byte, 1));
}

TEST_F(Unlinked, IsMapped) {
  void* memory = ::mmap(nullptr, 7, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  ASSERT_NE(memory, MAP_FAILED);
  static_cast<char*>(memory)[0] = 'C';
  EXPECT_EQ(std::string(static_cast<char*>(memory), 7), "Content");
  EXPECT_OK(::munmap(memory, 7));
  EXPECT_EQ(contents(file.get()), "Content");
}

TEST_F(Unlinked, IsNotANewFileOfTheSameName) {
  make_file(here / "f", "other");
  EXPECT_EQ(::pwrite(file.get(), "CONTENT", 7, 0), 7);
  EXPECT_EQ(contents(here / "f"), "other");
  EXPECT_EQ(contents(file.get()), "CONTENT");
  EXPECT_NE(status(file.get()).st_ino, inode(here / "f"));
}

TEST_F(Unlinked, OpensAgainThroughProc) {
  const FileDescriptor again = opened(Path("/proc/self/fd/" + std::to_string(file.get())), O_RDWR);
  append(again.get(), "CON");
  EXPECT_EQ(contents(file.get()), "CONtent");
  EXPECT_EQ(status(again.get()).st_ino, status(file.get()).st_ino);
}

TEST_F(Unlinked, GoesToAChild) {
  EXPECT_OK(in_child([&]() -> long { return ::pwrite(file.get(), "X", 1, 0) == 1 ? 0 : -1; }));
  EXPECT_EQ(contents(file.get()), "Xontent");
}

TEST_F(Unlinked, OutlivesDroppedCaches) {
  drop_caches();
  EXPECT_EQ(contents(file.get()), "content");
  EXPECT_EQ(::pwrite(file.get(), "C", 1, 0), 1);
  drop_caches();
  EXPECT_EQ(contents(file.get()), "Content");
}

TEST_F(Unlinked, OutlivesARenamedAndRemovedDirectory) {
  make_directory(here / "d");
  make_file(here / "d/g", "inner");
  const FileDescriptor inner = opened(here / "d/g", O_RDWR);
  EXPECT_OK(::rename(here / "d", here / "e"));
  EXPECT_OK(::unlink(here / "e/g"));
  EXPECT_OK(::rmdir(here / "e"));
  EXPECT_EQ(::pwrite(inner.get(), "I", 1, 0), 1);
  EXPECT_EQ(contents(inner.get()), "Inner");
}

TEST_F(Unlinked, StaysOpenAfterReplacement) {
  make_file(here / "old", "old");
  const FileDescriptor old = opened(here / "old", O_RDWR);
  make_file(here / "new", "new");
  EXPECT_OK(::rename(here / "new", here / "old"));
  EXPECT_EQ(::pwrite(old.get(), "O", 1, 0), 1);
  EXPECT_EQ(contents(old.get()), "Old");
  EXPECT_EQ(contents(here / "old"), "new");
}

TEST_F(Unlinked, OneOfTwoLinksIsStillAName) {
  make_file(here / "a", "x");
  make_link(here / "a", here / "b");
  const FileDescriptor open_file = opened(here / "a", O_RDWR);
  EXPECT_OK(::unlink(here / "a"));
  EXPECT_EQ(status(open_file.get()).st_nlink, 1U);
  append(open_file.get(), "yz");
  EXPECT_EQ(contents(here / "b"), "yz");
  EXPECT_OK(::unlink(here / "b"));
  EXPECT_EQ(status(open_file.get()).st_nlink, 0U);
  EXPECT_EQ(contents(open_file.get()), "yz");
}

TEST_F(Unlinked, SymlinksAreStillRead) {
  make_symlink(here / "l", "target");
  const FileDescriptor link = opened(here / "l", O_PATH | O_NOFOLLOW);
  EXPECT_OK(::unlink(here / "l"));
  char buffer[16];
  EXPECT_EQ(::readlinkat(link.get(), "", buffer, sizeof buffer), 6);
  EXPECT_EQ(status(link.get()).st_nlink, 0U);
}

TEST_F(Unlinked, ManyKeepTheirOwnContent) {
  std::vector<FileDescriptor> files;
  for (int number = 0; number < 200; ++number) {
    make_file(here / "same", std::to_string(number));
    files.push_back(opened(here / "same", O_RDWR));
    ASSERT_OK(::unlink(here / "same"));
  }
  for (int number = 0; number < 200; ++number) EXPECT_EQ(contents(files[number].get()), std::to_string(number));
}

}  // namespace
}  // namespace conformance
