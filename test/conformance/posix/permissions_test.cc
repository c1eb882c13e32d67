// Who may do what: mode bits, groups, the sticky bit.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

#include "support/scratch.h"

namespace conformance {
namespace {

using Permissions = Scratch;

const User member{1003, 1003, {staff}};

void owned(const Path& path, uid_t uid, gid_t gid) { require(::lchown(path, uid, gid) == 0, "chown " + path.text()); }

TEST_F(Permissions, ReadAndWriteBitsAreObeyed) {
  make_file(here / "f", "x", 0600);
  EXPECT_ERRNO(EACCES, as(alice, [&] { return can_open(here / "f", O_RDONLY); }));
  EXPECT_OK(::chmod(here / "f", 0604));
  EXPECT_OK(as(alice, [&] { return can_open(here / "f", O_RDONLY); }));
  EXPECT_ERRNO(EACCES, as(alice, [&] { return can_open(here / "f", O_WRONLY); }));
  EXPECT_ERRNO(EACCES, as(alice, [&] { return can_open(here / "f", O_RDWR); }));
  EXPECT_ERRNO(EACCES, as(alice, [&]() -> long { return ::truncate(here / "f", 0); }));
  EXPECT_OK(::chmod(here / "f", 0606));
  EXPECT_OK(as(alice, [&] { return can_open(here / "f", O_RDWR); }));
}

TEST_F(Permissions, TheFirstMatchingClassDecides) {
  make_file(here / "f", "x", 0077);
  owned(here / "f", alice.uid, staff);
  EXPECT_ERRNO(EACCES, as(alice, [&] { return can_open(here / "f", O_RDONLY); }));
  EXPECT_OK(::chmod(here / "f", 0707));
  EXPECT_ERRNO(EACCES, as(member, [&] { return can_open(here / "f", O_RDONLY); }));
  EXPECT_OK(as(bob, [&] { return can_open(here / "f", O_RDONLY); }));
}

TEST_F(Permissions, SupplementaryGroupsCount) {
  make_file(here / "f", "x", 0640);
  owned(here / "f", 0, staff);
  EXPECT_OK(as(member, [&] { return can_open(here / "f", O_RDONLY); }));
  EXPECT_ERRNO(EACCES, as(alice, [&] { return can_open(here / "f", O_RDONLY); }));
}

TEST_F(Permissions, TheLastOfManyGroupsCounts) {
  User user{1004, 1004, {}};
  for (gid_t group = 3000; group < 3200; ++group) user.groups.push_back(group);
  make_file(here / "f", "x", 0640);
  owned(here / "f", 0, 3199);
  EXPECT_OK(as(user, [&] { return can_open(here / "f", O_RDONLY); }));
  make_directory(here / "d", 0770);
  owned(here / "d", 0, 3199);
  EXPECT_OK(as(user, [&]() -> long { return ::mkdir(here / "d/e", 0755); }));
}

TEST_F(Permissions, SearchBitGuardsADirectory) {
  make_directory(here / "d", 0766);
  make_file(here / "d/f", "x");
  EXPECT_ERRNO(EACCES, as(alice, [&] { return can_open(here / "d/f", O_RDONLY); }));
  EXPECT_OK(as(alice, [&] { return can_open(here / "d", O_RDONLY | O_DIRECTORY); }));
  EXPECT_OK(::chmod(here / "d", 0711));
  EXPECT_OK(as(alice, [&] { return can_open(here / "d/f", O_RDONLY); }));
  EXPECT_ERRNO(EACCES, as(alice, [&] { return can_open(here / "d", O_RDONLY | O_DIRECTORY); }));
}

TEST_F(Permissions, CachedLookupsObeyAChangedDirectory) {
  make_directory(here / "d", 0755);
  make_file(here / "d/f", "x");
  EXPECT_OK(as(alice, [&] { return can_open(here / "d/f", O_RDONLY); }));
  EXPECT_OK(::chmod(here / "d", 0700));
  EXPECT_ERRNO(EACCES, as(alice, [&] { return can_open(here / "d/f", O_RDONLY); }));
  EXPECT_OK(::chmod(here / "d", 0755));
  EXPECT_OK(as(alice, [&] { return can_open(here / "d/f", O_RDONLY); }));
}

TEST_F(Permissions, NamesChangeOnlyInWritableDirectories) {
  make_directory(here / "d", 0755);
  make_file(here / "d/f", "x", 0666);
  make_directory(here / "d/e", 0777);
  EXPECT_ERRNO(EACCES, as(alice, [&]() -> long { return ::unlink(here / "d/f"); }));
  EXPECT_ERRNO(EACCES, as(alice, [&]() -> long { return ::rmdir(here / "d/e"); }));
  EXPECT_ERRNO(EACCES, as(alice, [&]() -> long { return ::rename(here / "d/f", here / "f"); }));
  EXPECT_ERRNO(EACCES, as(alice, [&]() -> long { return ::mkdir(here / "d/new", 0755); }));
  EXPECT_ERRNO(EACCES, as(alice, [&]() -> long { return ::mknod(here / "d/new", S_IFREG | 0644, 0); }));
  EXPECT_ERRNO(EACCES, as(alice, [&]() -> long { return ::symlink("t", here / "d/new"); }));
  EXPECT_ERRNO(EACCES, as(alice, [&] { return can_open(here / "d/new", O_CREAT | O_WRONLY); }));
  EXPECT_EQ(names(here / "d"), (std::vector<std::string>{"e", "f"}));
}

TEST_F(Permissions, RootReadsAndWritesAnything) {
  make_file(here / "f", "x", 0000);
  owned(here / "f", alice.uid, alice.gid);
  EXPECT_OK(can_open(here / "f", O_RDWR));
  make_directory(here / "d", 0000);
  owned(here / "d", alice.uid, alice.gid);
  EXPECT_OK(::mkdir(here / "d/e", 0755));
}

TEST_F(Permissions, AccessAnswersForTheRealUser) {
  make_file(here / "f", "x", 0640);
  owned(here / "f", alice.uid, staff);
  EXPECT_OK(as(alice, [&]() -> long { return ::access(here / "f", R_OK | W_OK); }));
  EXPECT_ERRNO(EACCES, as(alice, [&]() -> long { return ::access(here / "f", X_OK); }));
  EXPECT_OK(as(member, [&]() -> long { return ::access(here / "f", R_OK); }));
  EXPECT_ERRNO(EACCES, as(member, [&]() -> long { return ::access(here / "f", W_OK); }));
  EXPECT_ERRNO(EACCES, as(bob, [&]() -> long { return ::access(here / "f", R_OK); }));
  // As set-uid programs ask: effective root, real user bob.
  EXPECT_ERRNO(EACCES, in_child([&]() -> long {
                 if (::setresgid(bob.gid, 0, 0) != 0 || ::setresuid(bob.uid, 0, 0) != 0) return -1;
                 return ::access(here / "f", R_OK);
               }));
}

TEST_F(Permissions, ExecutionNeedsAnExecuteBitEvenForRoot) {
  make_file(here / "f", "#!/bin/true\n", 0644);
  EXPECT_ERRNO(EACCES, ::access(here / "f", X_OK));
  EXPECT_OK(::chmod(here / "f", 0645));
  EXPECT_OK(::access(here / "f", X_OK));
}

TEST_F(Permissions, AStickyDirectoryProtectsOthersFiles) {
  make_directory(here / "d", 01777);
  make_file(here / "d/f");
  owned(here / "d/f", alice.uid, alice.gid);
  make_directory(here / "d/e");
  owned(here / "d/e", alice.uid, alice.gid);
  EXPECT_ERRNO(EPERM, as(bob, [&]() -> long { return ::unlink(here / "d/f"); }));
  EXPECT_ERRNO(EPERM, as(bob, [&]() -> long { return ::rmdir(here / "d/e"); }));
  EXPECT_ERRNO(EPERM, as(bob, [&]() -> long { return ::rename(here / "d/f", here / "d/g"); }));
  EXPECT_ERRNO(EPERM, as(bob, [&]() -> long {
                 if (::mkdir(here / "d/mine", 0755) != 0) return -1;
                 return ::rename(here / "d/mine", here / "d/e");
               }));
  EXPECT_OK(as(alice, [&]() -> long { return ::rename(here / "d/f", here / "d/g"); }));
  owned(here / "d", bob.uid, bob.gid);
  EXPECT_OK(as(bob, [&]() -> long { return ::unlink(here / "d/g"); }));
}

TEST_F(Permissions, ChmodIsForTheOwner) {
  make_file(here / "f", "", 0666);
  EXPECT_ERRNO(EPERM, as(alice, [&]() -> long { return ::chmod(here / "f", 0600); }));
  owned(here / "f", alice.uid, alice.gid);
  EXPECT_OK(as(alice, [&]() -> long { return ::chmod(here / "f", 0600); }));
  EXPECT_EQ(status(here / "f").st_mode & 07777, 0600U);
}

TEST_F(Permissions, ChownIsForRootAndChgrpForMembers) {
  make_file(here / "f");
  owned(here / "f", member.uid, member.gid);
  EXPECT_ERRNO(EPERM, as(member, [&]() -> long { return ::chown(here / "f", alice.uid, static_cast<gid_t>(-1)); }));
  EXPECT_ERRNO(EPERM, as(member, [&]() -> long { return ::chown(here / "f", static_cast<uid_t>(-1), alice.gid); }));
  EXPECT_OK(as(member, [&]() -> long { return ::chown(here / "f", static_cast<uid_t>(-1), staff); }));
  EXPECT_EQ(status(here / "f").st_gid, staff);
  EXPECT_ERRNO(EPERM, as(alice, [&]() -> long { return ::chown(here / "f", static_cast<uid_t>(-1), alice.gid); }));
}

TEST_F(Permissions, MovingADirectoryNeedsToWriteIt) {
  make_directory(here / "from", 0777);
  make_directory(here / "to", 0777);
  make_directory(here / "from/d", 0555);
  EXPECT_ERRNO(EACCES, as(alice, [&]() -> long { return ::rename(here / "from/d", here / "to/d"); }));
  EXPECT_OK(as(alice, [&]() -> long { return ::rename(here / "from/d", here / "from/e"); }));
}

TEST_F(Permissions, ADescriptorKeepsWhatItWasOpenedFor) {
  make_file(here / "f", "old", 0644);
  owned(here / "f", alice.uid, alice.gid);
  EXPECT_OK(as(alice, [&]() -> long {
    const FileDescriptor file = opened(here / "f", O_RDWR);
    if (::fchmod(file.get(), 0000) != 0) return -1;
    if (::pwrite(file.get(), "new", 3, 0) != 3) return -1;
    char buffer[3];
    return ::pread(file.get(), buffer, 3, 0) == 3 ? 0 : -1;
  }));
  EXPECT_EQ(contents(here / "f"), "new");
}

TEST_F(Permissions, ANewFileMayBeWrittenWhateverItsMode) {
  EXPECT_OK(as(alice, [&]() -> long {
    const FileDescriptor file = opened(here / "f", O_RDWR | O_CREAT | O_EXCL, 0000);
    return ::write(file.get(), "x", 1) == 1 ? 0 : -1;
  }));
  EXPECT_EQ(contents(here / "f"), "x");
  EXPECT_ERRNO(EACCES, as(alice, [&] { return can_open(here / "f", O_RDONLY); }));
}

TEST_F(Permissions, NoatimeIsForTheOwner) {
  make_file(here / "f", "x", 0644);
  EXPECT_ERRNO(EPERM, as(alice, [&] { return can_open(here / "f", O_RDONLY | O_NOATIME); }));
  owned(here / "f", alice.uid, alice.gid);
  EXPECT_OK(as(alice, [&] { return can_open(here / "f", O_RDONLY | O_NOATIME); }));
}

}  // namespace
}  // namespace conformance
