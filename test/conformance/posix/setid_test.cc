// The setuid and setgid bits and file capabilities: when they are kept and when they go.
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstring>

#include "support/scratch.h"

namespace conformance {
namespace {

using SetId = Scratch;

// A file of alice's with the given bits, writable by all.
Path file_of_alice(const Path& path, mode_t bits) {
  make_file(path, "content", 0600);
  require(::chown(path, alice.uid, alice.gid) == 0, "chown");
  require(::chmod(path, bits) == 0, "chmod");
  return path;
}

long write_to(const Path& path) {
  const FileDescriptor file = opened(path, O_WRONLY);
  return ::write(file.get(), "x", 1) == 1 ? 0 : -1;
}

TEST_F(SetId, AWriteOfAnUnprivilegedUserClearsBoth) {
  const Path path = file_of_alice(here / "f", 06777);
  EXPECT_OK(as(bob, [&] { return write_to(path); }));
  EXPECT_EQ(mode_bits(path), 0777U);
}

TEST_F(SetId, AWriteOfTheOwnerClearsThemToo) {
  const Path path = file_of_alice(here / "f", 06755);
  EXPECT_OK(as(alice, [&] { return write_to(path); }));
  EXPECT_EQ(mode_bits(path), 0755U);
}

TEST_F(SetId, AWriteOfRootKeepsThem) {
  const Path path = file_of_alice(here / "f", 06755);
  EXPECT_OK(write_to(path));
  EXPECT_EQ(mode_bits(path), 06755U);
}

TEST_F(SetId, ATruncationOfAnUnprivilegedUserClearsThem) {
  const Path by_path = file_of_alice(here / "f", 06777);
  EXPECT_OK(as(bob, [&]() -> long { return ::truncate(by_path, 3); }));
  EXPECT_EQ(mode_bits(by_path), 0777U);
  const Path by_descriptor = file_of_alice(here / "g", 06777);
  EXPECT_OK(as(bob, [&]() -> long { return ::ftruncate(opened(by_descriptor, O_WRONLY).get(), 3); }));
  EXPECT_EQ(mode_bits(by_descriptor), 0777U);
  const Path by_open = file_of_alice(here / "h", 06777);
  EXPECT_OK(as(bob, [&]() -> long { return opened(by_open, O_WRONLY | O_TRUNC).valid() ? 0 : -1; }));
  EXPECT_EQ(mode_bits(by_open), 0777U);
  EXPECT_EQ(status(by_open).st_size, 0);
}

TEST_F(SetId, AnAllocationOfAnUnprivilegedUserClearsThem) {
  const Path path = file_of_alice(here / "f", 06777);
  EXPECT_OK(as(bob, [&]() -> long { return ::fallocate(opened(path, O_WRONLY).get(), 0, 0, 8192); }));
  EXPECT_EQ(mode_bits(path), 0777U);
}

// Changes of the content by descriptor or path, each of which takes setuid and setgid away.
const std::vector<std::pair<const char*, long (*)(const Path& path, const Path& other)>> changes{
    {"write", [](const Path& path, const Path&) { return write_to(path); }},
    {"truncate", [](const Path& path, const Path&) -> long { return ::truncate(path, 3); }},
    {"open", [](const Path& path, const Path&) -> long { return opened(path, O_WRONLY | O_TRUNC).valid() ? 0 : -1; }},
    {"fallocate",
     [](const Path& path, const Path&) -> long { return ::fallocate(opened(path, O_WRONLY).get(), 0, 0, 8192); }},
    {"copy_file_range",
     [](const Path& path, const Path& other) -> long {
       const FileDescriptor from = opened(other, O_RDONLY), to = opened(path, O_WRONLY);
       return ::copy_file_range(from.get(), nullptr, to.get(), nullptr, 4, 0) == 4 ? 0 : -1;
     }},
};

TEST_F(SetId, AStrangerToTheGroupClearsSetgidWithoutGroupExecute) {
  make_file(here / "other", "other", 0644);
  for (const auto& [name, change] : changes) {
    const Path path = file_of_alice(here / name, 02666);
    const auto act = change;
    EXPECT_OK(as(bob, [&] { return act(path, here / "other"); }));
    EXPECT_EQ(mode_bits(path), 0666U) << name;
  }
}

TEST_F(SetId, AMemberOfTheGroupLeavesSetgidWithoutGroupExecute) {
  make_file(here / "other", "other", 0644);
  const User member{bob.uid, bob.gid, {alice.gid}};
  for (const auto& [name, change] : changes) {
    const Path path = file_of_alice(here / name, 06666);
    const auto act = change;
    EXPECT_OK(as(member, [&] { return act(path, here / "other"); }));
    EXPECT_EQ(mode_bits(path), 02666U) << name;
  }
}

TEST_F(SetId, RootWithoutTheCapabilityIsNoException) {
  make_file(here / "other", "other", 0644);
  for (const auto& [name, change] : changes) {
    const Path path = file_of_alice(here / name, 06777);
    const auto act = change;
    EXPECT_OK(in_child([&]() -> long {
      __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
      __user_cap_data_struct sets[2]{};
      require(::syscall(SYS_capget, &header, sets) == 0, "capget");
      sets[0].effective &= ~(1U << CAP_FSETID);
      require(::syscall(SYS_capset, &header, sets) == 0, "capset");
      return act(path, here / "other");
    }));
    EXPECT_EQ(mode_bits(path), 0777U) << name;
  }
}

TEST_F(SetId, SetgidWithoutGroupExecuteStays) {
  // The group's own, and no program (fs/attr.c, setattr_should_drop_sgid).
  const Path path = file_of_alice(here / "f", 02767);
  EXPECT_OK(as(alice, [&] { return write_to(path); }));
  EXPECT_EQ(mode_bits(path), 02767U);
}

TEST_F(SetId, ChmodAfterAWriteThroughTheSameDescriptorStays) {
  const Path path = file_of_alice(here / "f", 0755);
  EXPECT_OK(as(alice, [&]() -> long {
    const FileDescriptor file = opened(path, O_WRONLY);
    if (::write(file.get(), "x", 1) != 1) return -1;
    return ::fchmod(file.get(), 04755);
  }));
  EXPECT_EQ(mode_bits(path), 04755U);
  drop_caches();
  EXPECT_EQ(mode_bits(path), 04755U);
}

TEST_F(SetId, AWriteAfterChmodClearsAgain) {
  const Path path = file_of_alice(here / "f", 0755);
  EXPECT_OK(as(alice, [&]() -> long {
    const FileDescriptor file = opened(path, O_WRONLY);
    if (::write(file.get(), "x", 1) != 1 || ::fchmod(file.get(), 04755) != 0) return -1;
    return ::write(file.get(), "y", 1) == 1 ? 0 : -1;
  }));
  EXPECT_EQ(mode_bits(path), 0755U);
}

TEST_F(SetId, AWriteOfRootAfterChmodKeepsThem) {
  const FileDescriptor file = opened(here / "f", O_CREAT | O_WRONLY, 0755);
  ASSERT_EQ(::write(file.get(), "x", 1), 1);
  ASSERT_OK(::fchmod(file.get(), 04755));
  ASSERT_EQ(::write(file.get(), "y", 1), 1);
  EXPECT_EQ(mode_bits(here / "f"), 04755U);
}

TEST_F(SetId, AnotherUsersWriteBesideRootsDescriptorClearsThem) {
  const Path path = file_of_alice(here / "f", 0777);
  const FileDescriptor roots = opened(path, O_WRONLY);
  ASSERT_EQ(::write(roots.get(), "x", 1), 1);
  ASSERT_OK(::chmod(path, 04777));
  EXPECT_OK(as(bob, [&] { return write_to(path); }));
  EXPECT_EQ(mode_bits(path), 0777U);
}

TEST_F(SetId, ReadingAndRenamingKeepThem) {
  const Path path = file_of_alice(here / "f", 06755);
  EXPECT_OK(as(alice, [&]() -> long {
    char byte = 0;
    if (::read(opened(path, O_RDONLY).get(), &byte, 1) != 1) return -1;
    return ::rename(path, here / "g");
  }));
  EXPECT_OK(as(alice, [&]() -> long { return ::link(here / "g", here / "h"); }));
  EXPECT_EQ(mode_bits(here / "h"), 06755U);
}

TEST_F(SetId, ChownClearsThemEvenForRoot) {
  // chown(2): on Linux also when root does it, for executable files.
  const Path path = file_of_alice(here / "f", 06755);
  EXPECT_OK(::chown(path, bob.uid, bob.gid));
  EXPECT_EQ(mode_bits(path), 0755U);
  const Path unchanged = file_of_alice(here / "g", 06755);
  EXPECT_OK(::chown(unchanged, alice.uid, alice.gid));
  EXPECT_EQ(mode_bits(unchanged), 0755U);
}

TEST_F(SetId, ChownOfADirectoryKeepsThem) {
  make_directory(here / "d", 06755);
  EXPECT_OK(::chown(here / "d", alice.uid, alice.gid));
  EXPECT_EQ(mode_bits(here / "d"), 06755U);
}

TEST_F(SetId, ChgrpOfTheOwnerClearsThem) {
  const User user{alice.uid, alice.gid, {2000}};
  const Path path = file_of_alice(here / "f", 06755);
  EXPECT_OK(as(user, [&]() -> long { return ::chown(path, static_cast<uid_t>(-1), 2000); }));
  EXPECT_EQ(mode_bits(path), 0755U);
}

TEST_F(SetId, ChmodCannotGiveAForeignGroupsSetgid) {
  const Path path = file_of_alice(here / "f", 0755);
  EXPECT_OK(::chown(path, alice.uid, 2000));
  EXPECT_OK(as(alice, [&]() -> long { return ::chmod(path, 02755); }));
  EXPECT_EQ(mode_bits(path), 0755U);
}

TEST_F(SetId, TheStickyBitOfAFileIsStored) {
  const Path path = file_of_alice(here / "f", 0644);
  EXPECT_OK(::chmod(path, 01644));
  EXPECT_EQ(mode_bits(path), 01644U);
}

TEST_F(SetId, CapabilitiesAreStoredByteForByte) {
  make_file(here / "f", "x", 0755);
  set_xattr(here / "f", "security.capability", a_capability());
  EXPECT_EQ(xattr(here / "f", "security.capability"), a_capability());
}

TEST_F(SetId, AWriteTakesCapabilitiesAway) {
  make_file(here / "f", "x", 0777);
  set_xattr(here / "f", "security.capability", a_capability());
  EXPECT_OK(as(alice, [&] { return write_to(here / "f"); }));
  EXPECT_ERRNO(ENODATA, ::getxattr(here / "f", "security.capability", nullptr, 0));
}

TEST_F(SetId, ChownTakesCapabilitiesAway) {
  make_file(here / "f", "x", 0777);
  set_xattr(here / "f", "security.capability", a_capability());
  EXPECT_OK(::chown(here / "f", 1, 1));
  EXPECT_ERRNO(ENODATA, ::getxattr(here / "f", "security.capability", nullptr, 0));
}

TEST_F(SetId, OnlyRootGivesCapabilities) {
  make_file(here / "f", "x", 0777);
  EXPECT_OK(::chown(here / "f", alice.uid, alice.gid));
  const std::string value = a_capability();
  EXPECT_ERRNO(EPERM, as(alice, [&]() -> long {
                 return ::setxattr(here / "f", "security.capability", value.data(), value.size(), 0);
               }));
}

}  // namespace
}  // namespace conformance
