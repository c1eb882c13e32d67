// Descriptors, locks and watches from before the copy-up.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "support/helper.h"
#include "support/layers.h"

namespace conformance {
namespace {

using OverlayOpenFiles = Overlay;

LAYERS(OverlayOpenFiles, AReaderSeesWhatIsWrittenLater) { make_file(bottom / "log", "old"); }
TEST_F(OverlayOpenFiles, AReaderSeesWhatIsWrittenLater) {
  const FileDescriptor reader = opened(here / "log", O_RDONLY);
  EXPECT_EQ(contents(reader.get()), "old");
  append(opened(here / "log", O_WRONLY | O_APPEND).get(), "+new");
  EXPECT_EQ(contents(reader.get()), "old+new");
  EXPECT_EQ(status(reader.get()).st_size, 7);
  EXPECT_EQ(status(reader.get()).st_ino, inode(here / "log"));
}

LAYERS(OverlayOpenFiles, AReaderSeesATruncation) { make_file(bottom / "f", "content"); }
TEST_F(OverlayOpenFiles, AReaderSeesATruncation) {
  const FileDescriptor reader = opened(here / "f", O_RDONLY);
  EXPECT_EQ(contents(reader.get()), "content");
  append(opened(here / "f", O_WRONLY | O_TRUNC).get(), "new");
  EXPECT_EQ(contents(reader.get()), "new");
}

LAYERS(OverlayOpenFiles, ChangesThroughAReadOnlyDescriptor) { make_file(bottom / "f", "content"); }
TEST_F(OverlayOpenFiles, ChangesThroughAReadOnlyDescriptor) {
  const FileDescriptor file = opened(here / "f", O_RDONLY);
  EXPECT_OK(::fchmod(file.get(), 0600));
  EXPECT_OK(::fchown(file.get(), 5, 6));
  EXPECT_OK(::fsetxattr(file.get(), "user.k", "v", 1, 0));
  EXPECT_EQ(status(here / "f").st_mode & 07777, 0600U);
  EXPECT_EQ(status(here / "f").st_uid, 5U);
  EXPECT_EQ(xattr(here / "f", "user.k"), "v");
  EXPECT_EQ(contents(file.get()), "content");
}

LAYERS(OverlayOpenFiles, AnUnlinkedLowerFileStaysReadable) { make_file(bottom / "f", pattern(100'000)); }
TEST_F(OverlayOpenFiles, AnUnlinkedLowerFileStaysReadable) {
  const FileDescriptor file = opened(here / "f", O_RDONLY);
  ASSERT_OK(::unlink(here / "f"));
  EXPECT_TRUE(contents(file.get()) == pattern(100'000));
  EXPECT_EQ(status(file.get()).st_nlink, 0U);
  make_file(here / "f", "other");
  EXPECT_TRUE(contents(file.get()) == pattern(100'000));
}

LAYERS(OverlayOpenFiles, AnUnlinkedLowerFileStaysWritable) { make_file(bottom / "f", "content"); }
TEST_F(OverlayOpenFiles, AnUnlinkedLowerFileStaysWritable) {
  const FileDescriptor file = opened(here / "f", O_RDWR);
  ASSERT_OK(::unlink(here / "f"));
  ASSERT_EQ(::pwrite(file.get(), "CON", 3, 0), 3);
  EXPECT_EQ(contents(file.get()), "CONtent");
  EXPECT_OK(::ftruncate(file.get(), 4));
  EXPECT_EQ(status(file.get()).st_size, 4);
  EXPECT_FALSE(exists(here / "f"));
  EXPECT_TRUE(names(here).empty());
}

LAYERS(OverlayOpenFiles, ARenamedLowerFileIsWrittenThroughItsDescriptor) { make_file(bottom / "f", "content"); }
TEST_F(OverlayOpenFiles, ARenamedLowerFileIsWrittenThroughItsDescriptor) {
  const FileDescriptor file = opened(here / "f", O_RDWR);
  ASSERT_OK(::rename(here / "f", here / "g"));
  ASSERT_EQ(::pwrite(file.get(), "CON", 3, 0), 3);
  EXPECT_EQ(contents(here / "g"), "CONtent");
  EXPECT_FALSE(exists(here / "f"));
}

LAYERS(OverlayOpenFiles, LocksHoldAcrossCopyUp) { make_file(bottom / "f", "x"); }
TEST_F(OverlayOpenFiles, LocksHoldAcrossCopyUp) {
  const FileDescriptor file = opened(here / "f", O_RDONLY);
  ASSERT_OK(::flock(file.get(), LOCK_EX));
  overwrite(here / "f", "y");
  EXPECT_ERRNO(EWOULDBLOCK,
               in_child([&]() -> long { return ::flock(opened(here / "f", O_RDONLY).get(), LOCK_EX | LOCK_NB); }));
}

LAYERS(OverlayOpenFiles, WatchesHoldAcrossCopyUp) { make_file(bottom / "f", "x"); }
TEST_F(OverlayOpenFiles, WatchesHoldAcrossCopyUp) {
  const FileDescriptor queue(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  ASSERT_OK(::inotify_add_watch(queue.get(), here / "f", IN_MODIFY));
  for (const char* text : {"1", "2"}) {
    overwrite(here / "f", text);
    alignas(inotify_event) char buffer[4096];
    EXPECT_GT(::read(queue.get(), buffer, sizeof buffer), 0) << "write " << text;
  }
}

LAYERS(OverlayOpenFiles, AReplacedLowerFileStaysReadableAndWritable) { make_file(bottom / "f", "content"); }
TEST_F(OverlayOpenFiles, AReplacedLowerFileStaysReadableAndWritable) {
  const FileDescriptor file = opened(here / "f", O_RDWR);
  make_file(here / "new", "new");
  ASSERT_OK(::rename(here / "new", here / "f"));
  EXPECT_EQ(contents(file.get()), "content");
  ASSERT_EQ(::pwrite(file.get(), "CON", 3, 0), 3);
  EXPECT_EQ(contents(file.get()), "CONtent");
  EXPECT_EQ(status(file.get()).st_nlink, 0U);
  EXPECT_EQ(contents(here / "f"), "new");
  EXPECT_EQ(names(here), std::vector<std::string>{"f"});
}

LAYERS(OverlayOpenFiles, ARunningProgramCannotBeWritten) { install_helper(bottom / "program"); }
TEST_F(OverlayOpenFiles, ARunningProgramCannotBeWritten) {
  int ends[2];
  ASSERT_OK(::pipe2(ends, O_CLOEXEC));
  Child running([&]() -> long {
    if (::dup2(ends[0], STDIN_FILENO) < 0) return -1;
    ::execl(here / "program", "program", "--helper", "wait", nullptr);
    return -1;
  });
  const Path executable("/proc/" + std::to_string(running.pid()) + "/exe");
  for (int round = 0; round < 500 && !link_target(executable).ends_with("/program"); ++round) ::usleep(10'000);
  EXPECT_ERRNO(ETXTBSY, ::open(here / "program", O_WRONLY));
  EXPECT_ERRNO(ETXTBSY, ::truncate(here / "program", 0));
  EXPECT_OK(::chmod(here / "program", 0750));
  EXPECT_OK(::rename(here / "program", here / "moved"));
  ::close(ends[1]);
  EXPECT_EQ(running.wait_for_signal(), 0);
  ::close(ends[0]);
  EXPECT_EQ(execute_helper(here / "moved", {"exit", "7"}), 7);
}

LAYERS(OverlayOpenFiles, ALargeFileIsWrittenWhileItIsRead) {
  make_file(bottom / "f", std::string(1'000'000, 'a'));
  require(::link(bottom / "f", bottom / "g") == 0, "link");
}
TEST_F(OverlayOpenFiles, ALargeFileIsWrittenWhileItIsRead) {
  const FileDescriptor reader = opened(here / "f", O_RDONLY);
  char byte = 0;
  ASSERT_EQ(::pread(reader.get(), &byte, 1, 0), 1);
  const FileDescriptor writer = opened(here / "f", O_RDWR);
  ASSERT_EQ(::pwrite(writer.get(), "b", 1, 0), 1);
  append(opened(here / "f", O_WRONLY | O_APPEND).get(), "+end");
  EXPECT_TRUE(contents(here / "f") == "b" + std::string(999'999, 'a') + "+end");
  const bool apart = settings().links_apart;  // then g goes on showing the lower
  const std::string other = apart ? std::string(1'000'000, 'a') : contents(here / "f");
  EXPECT_TRUE(contents(here / "g") == other);
  // Whether the old descriptor sees the write is the driver's affair (the kernel's overlay: no), but it is the same
  // file.
  ASSERT_EQ(::pread(reader.get(), &byte, 1, 0), 1);
  EXPECT_TRUE(byte == 'a' || byte == 'b');
  EXPECT_EQ(status(reader.get()).st_ino, inode(here / "f"));
  EXPECT_EQ(status(reader.get()).st_size, 1'000'004);
  EXPECT_EQ(status(here / "g").st_size, static_cast<off_t>(other.size()));
  EXPECT_OK(::fchmod(reader.get(), 0600));
  EXPECT_EQ(status(here / "f").st_mode & 07777, 0600U);
  EXPECT_EQ(status(here / "g").st_mode & 07777, apart ? 0644U : 0600U);
  EXPECT_OK(::truncate(here / (apart ? "f" : "g"), 10));
  EXPECT_EQ(contents(here / "f"), "baaaaaaaaa");
}

LAYERS(OverlayOpenFiles, ALargeFileIsTruncatedWhileItIsRead) {
  for (const char* name : {"f", "g"}) make_file(bottom / name, std::string(1'000'000, 'a'));
}
TEST_F(OverlayOpenFiles, ALargeFileIsTruncatedWhileItIsRead) {
  const FileDescriptor first = opened(here / "f", O_RDONLY);
  ASSERT_OK(::truncate(here / "f", 5));
  EXPECT_EQ(contents(here / "f"), "aaaaa");
  EXPECT_EQ(status(first.get()).st_size, 5);
  const FileDescriptor second = opened(here / "g", O_RDONLY);
  append(opened(here / "g", O_WRONLY | O_TRUNC).get(), "new");
  EXPECT_EQ(contents(here / "g"), "new");
  EXPECT_EQ(status(second.get()).st_size, 3);
}

LAYERS(OverlayOpenFiles, ALargeFileIsRenamedAndRemovedWhileItIsRead) {
  make_file(bottom / "f", std::string(1'000'000, 'a'));
}
TEST_F(OverlayOpenFiles, ALargeFileIsRenamedAndRemovedWhileItIsRead) {
  const FileDescriptor reader = opened(here / "f", O_RDONLY);
  ASSERT_OK(::chmod(here / "f", 0640));
  ASSERT_OK(::rename(here / "f", here / "g"));
  overwrite(here / "g", "new");
  ASSERT_OK(::unlink(here / "g"));
  EXPECT_FALSE(exists(here / "g"));
  char byte = 0;
  EXPECT_EQ(::pread(reader.get(), &byte, 1, 0), 1);
  EXPECT_EQ(status(reader.get()).st_mode & 07777, 0640U);
}

LAYERS(OverlayOpenFiles, AMappingMadeAfterTheCopyUpIsShared) { make_file(bottom / "f", std::string(8192, 'a')); }
TEST_F(OverlayOpenFiles, AMappingMadeAfterTheCopyUpIsShared) {
  const FileDescriptor file = opened(here / "f", O_RDWR);
  void* memory = ::mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  ASSERT_NE(memory, MAP_FAILED);
  static_cast<char*>(memory)[5000] = 'b';
  ASSERT_OK(::msync(memory, 8192, MS_SYNC));
  ASSERT_OK(::munmap(memory, 8192));
  EXPECT_EQ(contents(here / "f").substr(4999, 3), "aba");
  EXPECT_EQ(contents(bottom / "f"), std::string(8192, 'a'));
}

LAYERS(OverlayOpenFiles, AnOpenDirectoryFollowsItsCopyUp) {
  make_directory(bottom / "d");
  make_file(bottom / "d/f");
}
TEST_F(OverlayOpenFiles, AnOpenDirectoryFollowsItsCopyUp) {
  const FileDescriptor directory = opened(here / "d", O_RDONLY | O_DIRECTORY);
  make_file(here / "d/new", "x");
  EXPECT_OK(::faccessat(directory.get(), "new", F_OK, 0));
  EXPECT_OK(::faccessat(directory.get(), "f", F_OK, 0));
  ASSERT_OK(::mkdirat(directory.get(), "sub", 0755));
  EXPECT_EQ(names(here / "d"), (std::vector<std::string>{"f", "new", "sub"}));
  EXPECT_OK(::fchmod(directory.get(), 0700));
  EXPECT_EQ(status(here / "d").st_mode & 07777, 0700U);
}

}  // namespace
}  // namespace conformance
