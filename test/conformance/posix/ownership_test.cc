// Whom a new file belongs to, and changing it.
#include <fcntl.h>
#include <sched.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "support/scratch.h"

namespace conformance {
namespace {

using Ownership = Scratch;

void expect_owner(const Path& path, uid_t uid, gid_t gid) {
  const struct stat found = status(path);
  EXPECT_EQ(found.st_uid, uid) << path.text();
  EXPECT_EQ(found.st_gid, gid) << path.text();
}

TEST_F(Ownership, WhatAUserMakesIsTheUsers) {
  EXPECT_OK(as(alice, [&]() -> long {
    make_file(here / "file");
    make_directory(here / "directory");
    make_symlink(here / "symlink", "t");
    return ::mknod(here / "fifo", S_IFIFO | 0644, 0) == 0 && ::mknod(here / "node", S_IFREG | 0644, 0) == 0 ? 0 : -1;
  }));
  for (const char* name : {"file", "directory", "symlink", "fifo", "node"})
    expect_owner(here / name, alice.uid, alice.gid);
  drop_caches();
  for (const char* name : {"file", "directory", "symlink", "fifo", "node"})
    expect_owner(here / name, alice.uid, alice.gid);
}

TEST_F(Ownership, OfLargeNumbers) {
  const User user{4000000000U, 3999999999U, {}};
  EXPECT_OK(as(user, [&]() -> long { return ::mkdir(here / "d", 0755); }));
  expect_owner(here / "d", 4000000000U, 3999999999U);
  EXPECT_OK(::chown(here / "d", 65534, 65535));
  expect_owner(here / "d", 65534, 65535);
}

TEST_F(Ownership, FollowsTheFileSystemUser) {
  EXPECT_OK(in_child([&]() -> long {
    ::setfsgid(alice.gid);
    ::setfsuid(alice.uid);
    return ::mkdir(here / "d", 0755);
  }));
  expect_owner(here / "d", alice.uid, alice.gid);
}

TEST_F(Ownership, ASetgidDirectoryGivesItsGroup) {
  make_directory(here / "d", 02777);
  EXPECT_OK(::chown(here / "d", 0, 2000));
  EXPECT_OK(as(alice, [&]() -> long {
    if (::mkdir(here / "d/sub", 0755) != 0 || ::symlink("t", here / "d/link") != 0) return -1;
    if (::mknod(here / "d/fifo", S_IFIFO | 0644, 0) != 0) return -1;
    return ::mknod(here / "d/file", S_IFREG | 0644, 0);
  }));
  for (const char* name : {"sub", "link", "fifo", "file"}) expect_owner(here / "d" / name, alice.uid, 2000);
  EXPECT_EQ(mode_bits(here / "d/sub"), 02755U) << "a directory inherits the bit";
  EXPECT_EQ(mode_bits(here / "d/file"), 0644U) << "a file does not";
}

TEST_F(Ownership, ADirectoryHandsDownWhatItIsNow) {
  make_directory(here / "d", 0755);
  make_file(here / "d/before");
  EXPECT_OK(::chown(here / "d", 0, 2000));
  make_file(here / "d/of the group yet");
  EXPECT_OK(::chmod(here / "d", 02755));
  make_file(here / "d/of the directory");
  EXPECT_OK(::chown(here / "d", 0, 3000));
  EXPECT_OK(::chmod(here / "d", 02755));
  make_file(here / "d/of another");
  EXPECT_OK(::chmod(here / "d", 0755));
  make_file(here / "d/after");
  for (const char* name : {"before", "of the group yet", "after"}) expect_owner(here / "d" / name, 0, 0);
  expect_owner(here / "d/of the directory", 0, 2000);
  expect_owner(here / "d/of another", 0, 3000);
}

TEST_F(Ownership, SetgidInheritanceGoesDown) {
  make_directory(here / "a", 02777);
  EXPECT_OK(::chown(here / "a", 0, 2000));
  EXPECT_OK(as(alice, [&]() -> long {
    return ::mkdir(here / "a/b", 0777) == 0 && ::mkdir(here / "a/b/c", 0777) == 0 ? 0 : -1;
  }));
  expect_owner(here / "a/b/c", alice.uid, 2000);
  EXPECT_EQ(mode_bits(here / "a/b/c"), 02777U);
}

TEST_F(Ownership, AStrangerCannotMakeASetgidProgramInASetgidDirectory) {
  make_directory(here / "d", 02777);
  EXPECT_OK(::chown(here / "d", 0, 2000));
  EXPECT_OK(as(alice, [&]() -> long { return opened(here / "d/f", O_CREAT | O_WRONLY, 02755).valid() ? 0 : -1; }));
  EXPECT_EQ(mode_bits(here / "d/f"), 0755U);
  const User member{1003, 1003, {2000}};
  EXPECT_OK(as(member, [&]() -> long { return opened(here / "d/g", O_CREAT | O_WRONLY, 02755).valid() ? 0 : -1; }));
  EXPECT_EQ(mode_bits(here / "d/g"), 02755U);
}

TEST_F(Ownership, MinusOneKeeps) {
  make_file(here / "f");
  EXPECT_OK(::chown(here / "f", 5, 6));
  EXPECT_OK(::chown(here / "f", static_cast<uid_t>(-1), 7));
  expect_owner(here / "f", 5, 7);
  EXPECT_OK(::chown(here / "f", 8, static_cast<gid_t>(-1)));
  expect_owner(here / "f", 8, 7);
  EXPECT_OK(::chown(here / "f", static_cast<uid_t>(-1), static_cast<gid_t>(-1)));
  expect_owner(here / "f", 8, 7);
}

TEST_F(Ownership, ChangesByDescriptor) {
  make_file(here / "f");
  const FileDescriptor file = opened(here / "f", O_RDONLY);
  EXPECT_OK(::fchown(file.get(), 5, 6));
  expect_owner(here / "f", 5, 6);
  const FileDescriptor path_only = opened(here / "f", O_PATH);
  EXPECT_OK(::fchownat(path_only.get(), "", 7, 8, AT_EMPTY_PATH));
  expect_owner(here / "f", 7, 8);
}

TEST_F(Ownership, TheUmaskTakesBitsAway) {
  EXPECT_OK(in_child([&]() -> long {
    ::umask(027);
    if (!opened(here / "file", O_CREAT | O_WRONLY, 0666).valid()) return -1;
    if (::mkdir(here / "directory", 0777) != 0) return -1;
    return ::mknod(here / "fifo", S_IFIFO | 0666, 0);
  }));
  EXPECT_EQ(mode_bits(here / "file"), 0640U);
  EXPECT_EQ(mode_bits(here / "directory"), 0750U);
  EXPECT_EQ(mode_bits(here / "fifo"), 0640U);
}

TEST_F(Ownership, CreationKeepsTheSpecialBits) {
  EXPECT_TRUE(opened(here / "f", O_CREAT | O_WRONLY, 04755).valid());
  EXPECT_EQ(mode_bits(here / "f"), 04755U);
  EXPECT_OK(::mkdir(here / "d", 01777));
  EXPECT_EQ(mode_bits(here / "d"), 01777U);
}

TEST_F(Ownership, InAUserNamespaceIsMapped) {
  // The child is root of a namespace in which 0 stands for alice.
  EXPECT_OK(in_child([&]() -> long {
    if (::setresgid(alice.gid, alice.gid, alice.gid) != 0 || ::setresuid(alice.uid, alice.uid, alice.uid) != 0)
      return -1;
    // Else /proc/self belongs to root after the change of user.
    if (::prctl(PR_SET_DUMPABLE, 1) != 0 || ::unshare(CLONE_NEWUSER) != 0) return -1;
    append(opened(Path("/proc/self/setgroups"), O_WRONLY).get(), "deny");
    append(opened(Path("/proc/self/uid_map"), O_WRONLY).get(), "0 " + std::to_string(alice.uid) + " 1");
    append(opened(Path("/proc/self/gid_map"), O_WRONLY).get(), "0 " + std::to_string(alice.gid) + " 1");
    if (::mkdir(here / "d", 0755) != 0) return -1;
    make_file(here / "d/f", "x");
    const struct stat seen = status(here / "d/f");
    errno = EBADMSG;
    return seen.st_uid == 0 && seen.st_gid == 0 ? 0 : -1;
  }));
  expect_owner(here / "d/f", alice.uid, alice.gid);
}

}  // namespace
}  // namespace conformance
