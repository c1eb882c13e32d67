// Changing files of a lower: what copy-up must keep.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "support/layers.h"

namespace conformance {
namespace {

using OverlayCopyUp = Overlay;

void age(const Path& path) {
  const timespec times[2] = {{1'000'000'000, 11}, {1'100'000'000, 22}};
  require(::utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW) == 0, "utimensat");
}

LAYERS(OverlayCopyUp, ALowerFileIsRead) { make_file(bottom / "f", pattern(300'000)); }
TEST_F(OverlayCopyUp, ALowerFileIsRead) {
  EXPECT_TRUE(contents(here / "f") == pattern(300'000));
  drop_caches();
  EXPECT_TRUE(contents(here / "f") == pattern(300'000));
}

LAYERS(OverlayCopyUp, AWriteChangesTheViewAndNotTheLower) { make_file(bottom / "f", "lower content"); }
TEST_F(OverlayCopyUp, AWriteChangesTheViewAndNotTheLower) {
  overwrite(here / "f", "UPPER");
  EXPECT_EQ(contents(here / "f"), "UPPER content");
  EXPECT_EQ(contents(bottom / "f"), "lower content");
}

LAYERS(OverlayCopyUp, EveryWayToChangeKeepsTheInode) {
  for (const char* name : {"write", "truncate", "open", "chmod", "chown", "utimes", "xattr", "rename", "link"}) {
    make_file(bottom / name, "content");
  }
}
TEST_F(OverlayCopyUp, EveryWayToChangeKeepsTheInode) {
  std::vector<std::pair<std::string, ino_t>> was;
  for (const std::string& name : names(here)) was.emplace_back(name, inode(here / name));
  overwrite(here / "write", "x");
  ASSERT_OK(::truncate(here / "truncate", 3));
  ASSERT_TRUE(opened(here / "open", O_WRONLY | O_TRUNC).valid());
  ASSERT_OK(::chmod(here / "chmod", 0600));
  ASSERT_OK(::chown(here / "chown", 5, 5));
  age(here / "utimes");
  set_xattr(here / "xattr", "user.k", "v");
  ASSERT_OK(::rename(here / "rename", here / "renamed"));
  ASSERT_OK(::link(here / "link", here / "linked"));
  EXPECT_EQ(inode(here / "linked"), inode(here / "link"));
  ASSERT_OK(::rename(here / "renamed", here / "rename"));
  for (const auto& [name, number] : was) EXPECT_EQ(inode(here / name), number) << name;
  drop_caches();
  for (const auto& [name, number] : was) EXPECT_EQ(inode(here / name), number) << name << ", looked up again";
}

LAYERS(OverlayCopyUp, InodesAreTheSameAfterARemount) {
  for (const char* name : {"f", "untouched", "renamed"}) make_file(bottom / name, name);
  make_directory(bottom / "d");
  make_directory(bottom / "untouched-d");
}
TEST_F(OverlayCopyUp, InodesAreTheSameAfterARemount) {
  if (!can_remount()) GTEST_SKIP();
  const ino_t f = inode(here / "f"), untouched = inode(here / "untouched"), renamed = inode(here / "renamed"),
              d = inode(here / "d"), other_d = inode(here / "untouched-d");
  overwrite(here / "f", "x");
  ASSERT_OK(::chmod(here / "d", 0700));
  ASSERT_OK(::rename(here / "renamed", here / "d/moved"));
  remount();
  EXPECT_EQ(inode(here / "f"), f);
  EXPECT_EQ(inode(here / "untouched"), untouched);
  EXPECT_EQ(inode(here / "d/moved"), renamed);
  EXPECT_EQ(inode(here / "d"), d);
  EXPECT_EQ(inode(here / "untouched-d"), other_d);
}

LAYERS(OverlayCopyUp, KeepsModeOwnerXattrsAndTimes) {
  make_file(bottom / "f", "content", 0640);
  set_xattr(bottom / "f", "user.binary", std::string("\0\xff", 2));
  set_xattr(bottom / "f", "trusted.t", "trusted");
  require(::chown(bottom / "f", 1001, 1002) == 0, "chown");
  require(::chmod(bottom / "f", 06751) == 0, "chmod");
  age(bottom / "f");
}
TEST_F(OverlayCopyUp, KeepsModeOwnerXattrsAndTimes) {
  // Setting an xattr copies up and changes nothing else but the ctime.
  set_xattr(here / "f", "user.new", "v");
  const struct stat found = status(here / "f");
  EXPECT_EQ(found.st_mode & 07777, 06751U);
  EXPECT_EQ(found.st_uid, 1001U);
  EXPECT_EQ(found.st_gid, 1002U);
  EXPECT_EQ(found.st_mtim.tv_sec, 1'100'000'000);
  EXPECT_EQ(found.st_mtim.tv_nsec, 22);
  EXPECT_EQ(xattr(here / "f", "user.binary"), std::string("\0\xff", 2));
  EXPECT_EQ(xattr(here / "f", "trusted.t"), "trusted");
  EXPECT_EQ(contents(here / "f"), "content");
}

LAYERS(OverlayCopyUp, ParentsKeepTheirAttributes) {
  make_directory(bottom / "a", 0750);
  make_directory(bottom / "a/b", 01777);
  make_file(bottom / "a/b/f", "x");
  set_xattr(bottom / "a", "user.k", "v");
  require(::chown(bottom / "a", 5, 6) == 0, "chown");
  age(bottom / "a/b");
  age(bottom / "a");
}
TEST_F(OverlayCopyUp, ParentsKeepTheirAttributes) {
  const struct stat a = status(here / "a"), b = status(here / "a/b");
  overwrite(here / "a/b/f", "y");
  for (const auto& [path, was] : {std::pair{here / "a", a}, {here / "a/b", b}}) {
    const struct stat is = status(path);
    EXPECT_EQ(is.st_mode, was.st_mode) << path.text();
    EXPECT_EQ(is.st_uid, was.st_uid);
    EXPECT_EQ(is.st_ino, was.st_ino);
    EXPECT_TRUE(same_time(is.st_mtim, was.st_mtim)) << "its entries did not change: " << path.text();
  }
  EXPECT_EQ(xattr(here / "a", "user.k"), "v");
}

LAYERS(OverlayCopyUp, KeepsHoles) {
  const FileDescriptor file = opened(bottom / "f", O_CREAT | O_RDWR);
  require(::ftruncate(file.get(), 64 << 20) == 0, "ftruncate");
  require(::pwrite(file.get(), "x", 1, 32 << 20) == 1, "pwrite");
}
TEST_F(OverlayCopyUp, KeepsHoles) {
  EXPECT_LT(status(here / "f").st_blocks, 1024);
  ASSERT_EQ(::pwrite(opened(here / "f", O_WRONLY).get(), "y", 1, 1), 1);
  EXPECT_LT(status(here / "f").st_blocks, 8192) << "the kernel's driver looks for holes by the megabyte";
  const FileDescriptor file = opened(here / "f", O_RDONLY);
  EXPECT_EQ(status(file.get()).st_size, 64 << 20);
  char byte = 0;
  EXPECT_EQ(::pread(file.get(), &byte, 1, 32 << 20), 1);
  EXPECT_EQ(byte, 'x');
}

LAYERS(OverlayCopyUp, OfSeveralMegabytes) { make_file(bottom / "f", pattern(20 << 20)); }
TEST_F(OverlayCopyUp, OfSeveralMegabytes) {
  std::string expected = pattern(20 << 20);
  ASSERT_EQ(::pwrite(opened(here / "f", O_WRONLY).get(), "changed", 7, 10 << 20), 7);
  expected.replace(10 << 20, 7, "changed");
  EXPECT_TRUE(contents(here / "f") == expected);
}

LAYERS(OverlayCopyUp, ChangedAttributesLeaveTheContentReadable) { make_file(bottom / "f", pattern(3 << 20)); }
TEST_F(OverlayCopyUp, ChangedAttributesLeaveTheContentReadable) {
  ASSERT_OK(::chmod(here / "f", 0600));
  ASSERT_OK(::chown(here / "f", 5, 6));
  EXPECT_TRUE(contents(here / "f") == pattern(3 << 20));
  EXPECT_EQ(status(here / "f").st_size, 3 << 20);
  EXPECT_GE(status(here / "f").st_blocks, 3 << 11);
  EXPECT_EQ(status(here / "f").st_mode & 07777, 0600U);
  ASSERT_EQ(::pwrite(opened(here / "f", O_WRONLY).get(), "now the data", 12, 100), 12);
  EXPECT_EQ(contents(here / "f").substr(100, 12), "now the data");
  EXPECT_EQ(status(here / "f").st_uid, 5U);
}

LAYERS(OverlayCopyUp, TruncationToAPart) { make_file(bottom / "f", pattern(100'000)); }
TEST_F(OverlayCopyUp, TruncationToAPart) {
  ASSERT_OK(::truncate(here / "f", 50'000));
  EXPECT_TRUE(contents(here / "f") == pattern(100'000).substr(0, 50'000));
  ASSERT_OK(::truncate(here / "f", 0));
  EXPECT_EQ(contents(here / "f"), "");
}

LAYERS(OverlayCopyUp, OpeningToTruncateEmptiesOnlyTheView) { make_file(bottom / "f", "content", 0640); }
TEST_F(OverlayCopyUp, OpeningToTruncateEmptiesOnlyTheView) {
  append(opened(here / "f", O_WRONLY | O_TRUNC).get(), "new");
  EXPECT_EQ(contents(here / "f"), "new");
  EXPECT_EQ(status(here / "f").st_mode & 07777, 0640U);
  EXPECT_EQ(contents(bottom / "f"), "content");
}

LAYERS(OverlayCopyUp, AppendsGoAfterTheLowerContent) { make_file(bottom / "log", "old\n"); }
TEST_F(OverlayCopyUp, AppendsGoAfterTheLowerContent) {
  append(opened(here / "log", O_WRONLY | O_APPEND).get(), "new\n");
  EXPECT_EQ(contents(here / "log"), "old\nnew\n");
}

LAYERS(OverlayCopyUp, OfSeveralProcessesAtOnceLosesNothing) {
  for (int number = 0; number < 10; ++number) make_file(bottom / std::to_string(number), "start\n");
}
TEST_F(OverlayCopyUp, OfSeveralProcessesAtOnceLosesNothing) {
  for (int number = 0; number < 10; ++number) {
    const auto outcomes = at_once(4, [&](int worker) -> long {
      const FileDescriptor file = opened(here / std::to_string(number), O_WRONLY | O_APPEND);
      append(file.get(), "worker" + std::to_string(worker) + "\n");
      return ::fchmod(file.get(), 0600 + static_cast<mode_t>(worker));
    });
    for (const Outcome& result : outcomes) EXPECT_OK(result);
    const std::string all = contents(here / std::to_string(number));
    EXPECT_EQ(all.size(), 6U + 4 * 8);
    for (int worker = 0; worker < 4; ++worker) {
      EXPECT_NE(all.find("worker" + std::to_string(worker)), std::string::npos) << all;
    }
  }
}

LAYERS(OverlayCopyUp, OfSymlinksFifosAndDevices) {
  make_symlink(bottom / "link", "target");
  require(::mkfifo(bottom / "fifo", 0600) == 0, "mkfifo");
  require(::mknod(bottom / "null", S_IFCHR | 0600, makedev(1, 3)) == 0, "mknod");
}
TEST_F(OverlayCopyUp, OfSymlinksFifosAndDevices) {
  for (const char* name : {"link", "fifo", "null"}) {
    const struct stat was = status(here / name);
    EXPECT_OK(::lchown(here / name, 5, 6));
    const struct stat is = status(here / name);
    EXPECT_EQ(is.st_uid, 5U);
    EXPECT_EQ(is.st_mode, was.st_mode);
    EXPECT_EQ(is.st_rdev, was.st_rdev);
    EXPECT_EQ(is.st_ino, was.st_ino);
  }
  EXPECT_EQ(link_target(here / "link"), "target");
  append(opened(here / "null", O_WRONLY).get(), "gone");
  set_xattr(here / "link", "trusted.k", "v");
  EXPECT_EQ(xattr(here / "link", "trusted.k"), "v");
}

LAYERS(OverlayCopyUp, FollowsTheRulesForSetuid) {
  make_file(bottom / "written", "x");
  make_file(bottom / "owned", "x");
  for (const char* name : {"written", "owned"}) {
    require(::chown(bottom / name, 1001, 1001) == 0 && ::chmod(bottom / name, 06777) == 0, "chown, chmod");
  }
}
TEST_F(OverlayCopyUp, FollowsTheRulesForSetuid) {
  EXPECT_OK(as(bob, [&]() -> long { return ::write(opened(here / "written", O_WRONLY).get(), "y", 1) == 1 ? 0 : -1; }));
  EXPECT_EQ(status(here / "written").st_mode & 07777, 0777U);
  ASSERT_OK(::chown(here / "owned", 5, 5));
  EXPECT_EQ(status(here / "owned").st_mode & 07777, 0777U);
}

LAYERS(OverlayCopyUp, NeedsPermissionAsElsewhere) { make_file(bottom / "f", "x", 0644); }
TEST_F(OverlayCopyUp, NeedsPermissionAsElsewhere) {
  EXPECT_ERRNO(EACCES, as(alice, [&]() -> long { return ::open(here / "f", O_WRONLY); }));
  EXPECT_ERRNO(EPERM, as(alice, [&]() -> long { return ::chmod(here / "f", 0666); }));
  EXPECT_ERRNO(EACCES, as(alice, [&]() -> long { return ::truncate(here / "f", 0); }));
  EXPECT_EQ(contents(here / "f"), "x");
}

LAYERS(OverlayCopyUp, ByAUserWhoMayKeepsTheOwner) {
  make_directory(bottom / "d");
  make_file(bottom / "d/f", "x", 0666);
}
TEST_F(OverlayCopyUp, ByAUserWhoMayKeepsTheOwner) {
  EXPECT_OK(as(alice, [&]() -> long {
    overwrite(here / "d/f", "y");
    return 0;
  }));
  EXPECT_EQ(status(here / "d/f").st_uid, 0U);
  EXPECT_EQ(status(here / "d").st_uid, 0U);
  EXPECT_EQ(contents(here / "d/f"), "y");
}

LAYERS(OverlayCopyUp, OfAnEmptyFileAndOddNames) {
  make_file(bottom / "empty");
  make_file(bottom / "\xff\xfe\n", "odd");
  make_file(bottom / std::string(255, 'n'), "long");
}
TEST_F(OverlayCopyUp, OfAnEmptyFileAndOddNames) {
  for (const std::string& name : names(here)) {
    append(opened(here / name, O_WRONLY | O_APPEND).get(), "!");
    EXPECT_TRUE(contents(here / name).ends_with("!"));
  }
  EXPECT_EQ(contents(here / "\xff\xfe\n"), "odd!");
  EXPECT_EQ(names(here).size(), 3U);
}

// As an upper that was sealed and became a lower has it: attributes above, data below.
LAYERS(OverlayCopyUp, OfAMetacopyTakesTheDataAlong) {
  for (const char* name : {"appended", "truncated", "overwritten"}) {
    make_file(bottom / name, pattern(100'000));
    make_file(top / name, "", 0600);
    require(::truncate(top / name, 100'000) == 0, "truncate");
    set_xattr(top / name, "trusted.overlay.metacopy", "");
  }
}
TEST_F(OverlayCopyUp, OfAMetacopyTakesTheDataAlong) {
  const std::string data = pattern(100'000);
  append(opened(here / "appended", O_WRONLY | O_APPEND).get(), "!");
  ASSERT_OK(::truncate(here / "truncated", 70'000));
  overwrite(here / "overwritten", "X");
  drop_caches();
  EXPECT_TRUE(contents(here / "appended") == data + "!");
  EXPECT_TRUE(contents(here / "truncated") == data.substr(0, 70'000));
  EXPECT_TRUE(contents(here / "overwritten") == "X" + data.substr(1));
  EXPECT_EQ(status(here / "appended").st_mode & 07777U, 0600U);
}

}  // namespace
}  // namespace conformance
