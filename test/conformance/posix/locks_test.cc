// flock, POSIX and open-file-description locks.
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "support/scratch.h"

namespace conformance {
namespace {

using Locks = Scratch;

long lock(int file, int command, short type, off_t start = 0, off_t length = 0) {
  struct flock region {};
  region.l_type = type;
  region.l_whence = SEEK_SET;
  region.l_start = start;
  region.l_len = length;
  return ::fcntl(file, command, &region);
}

// Tries flock(2) in another process, by an own descriptor.
Outcome other_flock(const Path& path, int operation) {
  return in_child([&]() -> long { return ::flock(opened(path, O_RDWR).get(), operation | LOCK_NB); });
}

Outcome other_lock(const Path& path, short type, off_t start = 0, off_t length = 0) {
  return in_child([&]() -> long { return lock(opened(path, O_RDWR).get(), F_SETLK, type, start, length); });
}

TEST_F(Locks, FlockExcludes) {
  make_file(here / "f");
  FileDescriptor file = opened(here / "f", O_RDWR);
  ASSERT_OK(::flock(file.get(), LOCK_EX));
  EXPECT_ERRNO(EWOULDBLOCK, other_flock(here / "f", LOCK_EX));
  EXPECT_ERRNO(EWOULDBLOCK, other_flock(here / "f", LOCK_SH));
  ASSERT_OK(::flock(file.get(), LOCK_UN));
  EXPECT_OK(other_flock(here / "f", LOCK_EX));
}

TEST_F(Locks, FlockShares) {
  make_file(here / "f");
  const FileDescriptor file = opened(here / "f", O_RDONLY);
  ASSERT_OK(::flock(file.get(), LOCK_SH));
  EXPECT_OK(other_flock(here / "f", LOCK_SH));
  EXPECT_ERRNO(EWOULDBLOCK, other_flock(here / "f", LOCK_EX));
}

TEST_F(Locks, FlockBelongsToTheOpenFile) {
  make_file(here / "f");
  FileDescriptor file = opened(here / "f", O_RDWR);
  const FileDescriptor other = opened(here / "f", O_RDWR);
  ASSERT_OK(::flock(file.get(), LOCK_EX));
  EXPECT_ERRNO(EWOULDBLOCK, ::flock(other.get(), LOCK_EX | LOCK_NB));
  FileDescriptor copy(::dup(file.get()));
  file.reset();
  EXPECT_ERRNO(EWOULDBLOCK, ::flock(other.get(), LOCK_EX | LOCK_NB)) << "the copy holds it still";
  copy.reset();
  EXPECT_OK(::flock(other.get(), LOCK_EX | LOCK_NB));
}

TEST_F(Locks, FlockEndsWithItsProcess) {
  make_file(here / "f");
  EXPECT_OK(in_child([&]() -> long {
    FileDescriptor file = opened(here / "f", O_RDWR);
    return ::flock(file.release(), LOCK_EX);
  }));
  EXPECT_OK(::flock(opened(here / "f", O_RDWR).get(), LOCK_EX | LOCK_NB));
}

TEST_F(Locks, FlockOnADirectory) {
  const FileDescriptor directory = opened(here, O_RDONLY | O_DIRECTORY);
  ASSERT_OK(::flock(directory.get(), LOCK_EX));
  EXPECT_ERRNO(EWOULDBLOCK, in_child([&]() -> long {
                 return ::flock(opened(here, O_RDONLY | O_DIRECTORY).get(), LOCK_EX | LOCK_NB);
               }));
}

TEST_F(Locks, AWaiterGetsItsTurn) {
  make_file(here / "f");
  FileDescriptor file = opened(here / "f", O_RDWR);
  ASSERT_OK(::flock(file.get(), LOCK_EX));
  const Gate started;
  Child waiter([&]() -> long {
    const FileDescriptor own = opened(here / "f", O_RDWR);
    started.open();
    if (::flock(own.get(), LOCK_EX) != 0) return -1;
    append(own.get(), "got it");
    return 0;
  });
  started.pass();
  ::usleep(30'000);
  EXPECT_EQ(contents(here / "f"), "");
  // Not by closing: the child has inherited the descriptor.
  ASSERT_OK(::flock(file.get(), LOCK_UN));
  EXPECT_OK(waiter.wait());
  EXPECT_EQ(contents(here / "f"), "got it");
}

TEST_F(Locks, PosixRangesExclude) {
  make_file(here / "f");
  const FileDescriptor file = opened(here / "f", O_RDWR);
  ASSERT_OK(lock(file.get(), F_SETLK, F_WRLCK, 10, 10));
  EXPECT_ERRNO(EAGAIN, other_lock(here / "f", F_WRLCK, 15, 1));
  EXPECT_ERRNO(EAGAIN, other_lock(here / "f", F_RDLCK, 0, 0));
  EXPECT_OK(other_lock(here / "f", F_WRLCK, 0, 10));
  EXPECT_OK(other_lock(here / "f", F_WRLCK, 20, 0));
  ASSERT_OK(lock(file.get(), F_SETLK, F_UNLCK, 12, 2));
  EXPECT_OK(other_lock(here / "f", F_WRLCK, 12, 2));
  EXPECT_ERRNO(EAGAIN, other_lock(here / "f", F_WRLCK, 11, 2));
}

TEST_F(Locks, PosixReadersShare) {
  make_file(here / "f");
  const FileDescriptor file = opened(here / "f", O_RDWR);
  ASSERT_OK(lock(file.get(), F_SETLK, F_RDLCK));
  EXPECT_OK(other_lock(here / "f", F_RDLCK));
  EXPECT_ERRNO(EAGAIN, other_lock(here / "f", F_WRLCK));
}

TEST_F(Locks, PosixTellsTheHolder) {
  make_file(here / "f");
  const FileDescriptor file = opened(here / "f", O_RDWR);
  ASSERT_OK(lock(file.get(), F_SETLK, F_WRLCK, 5, 5));
  const pid_t holder = ::getpid();
  EXPECT_OK(in_child([&]() -> long {
    struct flock region {};
    region.l_type = F_WRLCK;
    region.l_whence = SEEK_SET;
    if (::fcntl(opened(here / "f", O_RDWR).get(), F_GETLK, &region) != 0) return -1;
    errno = EBADMSG;
    return region.l_type == F_WRLCK && region.l_start == 5 && region.l_len == 5 && region.l_pid == holder ? 0 : -1;
  }));
}

TEST_F(Locks, PosixEndsWhenAnyDescriptorCloses) {
  make_file(here / "f");
  const FileDescriptor file = opened(here / "f", O_RDWR);
  ASSERT_OK(lock(file.get(), F_SETLK, F_WRLCK));
  EXPECT_TRUE(opened(here / "f", O_RDONLY).valid());
  EXPECT_OK(other_lock(here / "f", F_WRLCK)) << "fcntl(2): closing any descriptor of the file releases";
}

TEST_F(Locks, PosixNeedsTheMode) {
  make_file(here / "f");
  EXPECT_ERRNO(EBADF, lock(opened(here / "f", O_RDONLY).get(), F_SETLK, F_WRLCK));
  EXPECT_ERRNO(EBADF, lock(opened(here / "f", O_WRONLY).get(), F_SETLK, F_RDLCK));
}

TEST_F(Locks, OfOpenFileDescriptionsExclude) {
  make_file(here / "f");
  const FileDescriptor file = opened(here / "f", O_RDWR), other = opened(here / "f", O_RDWR);
  ASSERT_OK(lock(file.get(), F_OFD_SETLK, F_WRLCK, 0, 10));
  EXPECT_ERRNO(EAGAIN, lock(other.get(), F_OFD_SETLK, F_WRLCK, 5, 1));
  EXPECT_TRUE(opened(here / "f", O_RDONLY).valid());
  EXPECT_ERRNO(EAGAIN, other_lock(here / "f", F_WRLCK, 5, 1)) << "closing another descriptor keeps it";
}

TEST_F(Locks, FollowTheFileNotTheName) {
  make_file(here / "f");
  make_link(here / "f", here / "g");
  const FileDescriptor file = opened(here / "f", O_RDWR);
  ASSERT_OK(::flock(file.get(), LOCK_EX));
  EXPECT_ERRNO(EWOULDBLOCK, other_flock(here / "g", LOCK_EX));
  ASSERT_OK(::rename(here / "f", here / "h"));
  EXPECT_ERRNO(EWOULDBLOCK, other_flock(here / "h", LOCK_EX));
  overwrite(here / "h", "written under the lock");
  EXPECT_ERRNO(EWOULDBLOCK, other_flock(here / "h", LOCK_EX));
}

TEST_F(Locks, ALockFileProtocolCounts) {
  make_file(here / "counter", "0");
  const auto outcomes = at_once(4, [&](int) -> long {
    for (int round = 0; round < 50; ++round) {
      const FileDescriptor guard = opened(here / "lock", O_CREAT | O_RDWR);
      if (::flock(guard.get(), LOCK_EX) != 0) return -1;
      overwrite(here / "counter", std::to_string(std::stoi(contents(here / "counter")) + 1));
    }
    return 0;
  });
  for (const Outcome& result : outcomes) EXPECT_OK(result);
  EXPECT_EQ(contents(here / "counter"), "200");
}

}  // namespace
}  // namespace conformance
