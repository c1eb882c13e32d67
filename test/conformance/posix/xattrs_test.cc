// Extended attributes; ACLs have a file of their own.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>

#include "support/scratch.h"

namespace conformance {
namespace {

using Xattrs = Scratch;

long set(const Path& path, const std::string& name, const std::string& value, int flags = 0) {
  return ::lsetxattr(path, name.c_str(), value.data(), value.size(), flags);
}

long get(const Path& path, const std::string& name) { return ::lgetxattr(path, name.c_str(), nullptr, 0); }

// Names in user. and trusted.: a security module adds its own.
std::vector<std::string> own_names(const Path& path) {
  std::vector<std::string> all = xattr_names(path);
  std::erase_if(all,
                [](const std::string& name) { return !name.starts_with("user.") && !name.starts_with("trusted."); });
  return all;
}

TEST_F(Xattrs, AreStoredListedAndRemoved) {
  make_file(here / "f");
  EXPECT_OK(set(here / "f", "user.one", "1"));
  EXPECT_OK(set(here / "f", "user.two", "22"));
  EXPECT_EQ(xattr(here / "f", "user.two"), "22");
  EXPECT_EQ(own_names(here / "f"), (std::vector<std::string>{"user.one", "user.two"}));
  EXPECT_OK(::removexattr(here / "f", "user.one"));
  EXPECT_ERRNO(ENODATA, get(here / "f", "user.one"));
  EXPECT_ERRNO(ENODATA, ::removexattr(here / "f", "user.one"));
  EXPECT_EQ(own_names(here / "f"), std::vector<std::string>{"user.two"});
}

TEST_F(Xattrs, HoldAnyBytesAndNone) {
  make_file(here / "f");
  std::string all(256, '\0');
  for (std::size_t byte = 0; byte < 256; ++byte) all[byte] = static_cast<char>(byte);
  EXPECT_OK(set(here / "f", "user.binary", all));
  EXPECT_TRUE(xattr(here / "f", "user.binary") == all);
  EXPECT_OK(set(here / "f", "user.empty", ""));
  EXPECT_EQ(get(here / "f", "user.empty"), 0);
  EXPECT_EQ(own_names(here / "f").size(), 2U);
}

TEST_F(Xattrs, AreReplaced) {
  make_file(here / "f");
  for (const std::string& value : {std::string("short"), std::string(1000, 'x'), std::string("s"), std::string()}) {
    EXPECT_OK(set(here / "f", "user.k", value));
    EXPECT_EQ(xattr(here / "f", "user.k"), value);
  }
}

TEST_F(Xattrs, CreateAndReplaceFlags) {
  make_file(here / "f");
  EXPECT_ERRNO(ENODATA, set(here / "f", "user.k", "v", XATTR_REPLACE));
  EXPECT_OK(set(here / "f", "user.k", "v", XATTR_CREATE));
  EXPECT_ERRNO(EEXIST, set(here / "f", "user.k", "w", XATTR_CREATE));
  EXPECT_EQ(xattr(here / "f", "user.k"), "v");
  EXPECT_OK(set(here / "f", "user.k", "w", XATTR_REPLACE));
  EXPECT_EQ(xattr(here / "f", "user.k"), "w");
}

TEST_F(Xattrs, SmallBuffersAreRefused) {
  make_file(here / "f");
  ASSERT_OK(set(here / "f", "user.k", "0123456789"));
  char buffer[10];
  EXPECT_EQ(::lgetxattr(here / "f", "user.k", nullptr, 0), 10);
  EXPECT_ERRNO(ERANGE, ::lgetxattr(here / "f", "user.k", buffer, 9));
  EXPECT_EQ(::lgetxattr(here / "f", "user.k", buffer, 10), 10);
  EXPECT_GE(::llistxattr(here / "f", nullptr, 0), 7);
  EXPECT_ERRNO(ERANGE, ::llistxattr(here / "f", buffer, 3));
}

TEST_F(Xattrs, NamesHaveLimits) {
  make_file(here / "f");
  const std::string longest = "user." + std::string(250, 'n');
  EXPECT_OK(set(here / "f", longest, "v"));
  EXPECT_EQ(own_names(here / "f"), std::vector{longest});
  EXPECT_ERRNO(ERANGE, set(here / "f", longest + "n", "v"));
  EXPECT_ERRNO(ERANGE, set(here / "f", "", "v"));
  EXPECT_ERRNO(EINVAL, set(here / "f", "user.", "v"));
}

TEST_F(Xattrs, NamesAreBytes) {
  make_file(here / "f");
  for (const char* name : {"user.\xff\xfe", "user.\xc3\xa9", "user.a b", "user.a/b", "user.A", "user.a"}) {
    EXPECT_OK(set(here / "f", name, name));
    EXPECT_EQ(xattr(here / "f", name), name);
  }
  EXPECT_EQ(own_names(here / "f").size(), 6U);
}

TEST_F(Xattrs, UnknownNamespacesAreRefused) {
  make_file(here / "f");
  EXPECT_ERRNO(EOPNOTSUPP, set(here / "f", "nonsense.k", "v"));
  EXPECT_ERRNO(EOPNOTSUPP, set(here / "f", "nodot", "v"));
  EXPECT_ERRNO(EOPNOTSUPP, get(here / "f", "nonsense.k"));
}

TEST_F(Xattrs, ValuesBeyond64KiBAreRefused) {
  make_file(here / "f");
  EXPECT_ERRNO(E2BIG, set(here / "f", "user.k", std::string(65537, 'x')));
  EXPECT_ERRNO(ENODATA, get(here / "f", "user.k"));
}

TEST_F(Xattrs, LargeAndMany) {
  make_file(here / "f");
  const std::string large = pattern(3000);
  EXPECT_OK(set(here / "f", "user.large", large));
  EXPECT_TRUE(xattr(here / "f", "user.large") == large);
  EXPECT_OK(::removexattr(here / "f", "user.large"));
  for (int number = 0; number < 60; ++number) {
    EXPECT_OK(set(here / "f", "user.k" + std::to_string(number), std::to_string(number)));
  }
  EXPECT_EQ(own_names(here / "f").size(), 60U);
  for (int number = 0; number < 60; ++number) {
    EXPECT_EQ(xattr(here / "f", "user.k" + std::to_string(number)), std::to_string(number));
  }
}

TEST_F(Xattrs, WhatDoesNotFitChangesNothing) {
  // The sizes that fit differ; that a refused value leaves the old one does not.
  make_file(here / "f");
  ASSERT_OK(set(here / "f", "user.k", "old"));
  const Outcome result = outcome(set(here / "f", "user.k", std::string(60'000, 'x')));
  if (result.error == 0) {
    EXPECT_EQ(xattr(here / "f", "user.k").size(), 60'000U);
  } else {
    EXPECT_TRUE(result.error == ENOSPC || result.error == E2BIG) << error_text(result.error);
    EXPECT_EQ(xattr(here / "f", "user.k"), "old");
  }
}

TEST_F(Xattrs, OfDirectories) {
  make_directory(here / "d");
  EXPECT_OK(set(here / "d", "user.k", "v"));
  make_file(here / "d/f");
  EXPECT_EQ(xattr(here / "d", "user.k"), "v");
  EXPECT_ERRNO(ENODATA, get(here / "d/f", "user.k"));
}

TEST_F(Xattrs, OfUsersAreForFilesAndDirectoriesOnly) {
  make_symlink(here / "l", "f");
  ASSERT_OK(::mknod(here / "fifo", S_IFIFO | 0666, 0));
  ASSERT_OK(::mknod(here / "null", S_IFCHR | 0666, 0x103));
  for (const char* name : {"l", "fifo", "null"}) {
    EXPECT_ERRNO(EPERM, set(here / name, "user.k", "v"));
    EXPECT_ERRNO(ENODATA, get(here / name, "user.k"));
    EXPECT_TRUE(own_names(here / name).empty());
  }
}

TEST_F(Xattrs, TrustedOnesAreForAnything) {
  make_file(here / "f");
  make_symlink(here / "l", "nowhere");
  ASSERT_OK(::mknod(here / "fifo", S_IFIFO | 0666, 0));
  ASSERT_OK(::mknod(here / "null", S_IFCHR | 0666, 0x103));
  for (const char* name : {"f", "l", "fifo", "null"}) {
    EXPECT_OK(set(here / name, "trusted.k", name));
    EXPECT_EQ(xattr(here / name, "trusted.k"), name);
    EXPECT_EQ(own_names(here / name), std::vector<std::string>{"trusted.k"});
    EXPECT_OK(::lremovexattr(here / name, "trusted.k"));
  }
}

TEST_F(Xattrs, TrustedOnesAreHiddenFromUsers) {
  make_file(here / "f", "", 0666);
  ASSERT_OK(set(here / "f", "trusted.k", "v"));
  EXPECT_ERRNO(EPERM, as(alice, [&] { return set(here / "f", "trusted.k", "w"); }));
  EXPECT_ERRNO(ENODATA, as(alice, [&] { return get(here / "f", "trusted.k"); }));
  EXPECT_ERRNO(EPERM, as(alice, [&]() -> long { return ::removexattr(here / "f", "trusted.k"); }));
  EXPECT_OK(as(alice, [&]() -> long { return own_names(here / "f").empty() ? 0 : (errno = EBADMSG, -1); }));
}

TEST_F(Xattrs, FollowReadAndWritePermission) {
  make_file(here / "f", "", 0600);
  ASSERT_OK(set(here / "f", "user.k", "v"));
  EXPECT_ERRNO(EACCES, as(alice, [&] { return get(here / "f", "user.k"); }));
  EXPECT_ERRNO(EACCES, as(alice, [&] { return set(here / "f", "user.k", "w"); }));
  ASSERT_OK(::chmod(here / "f", 0604));
  EXPECT_EQ(as(alice, [&] { return get(here / "f", "user.k"); }).value, 1);
  EXPECT_ERRNO(EACCES, as(alice, [&]() -> long { return ::removexattr(here / "f", "user.k"); }));
  ASSERT_OK(::chmod(here / "f", 0606));
  EXPECT_OK(as(alice, [&] { return set(here / "f", "user.k", "w"); }));
}

TEST_F(Xattrs, OfAStickyDirectoryAreForItsOwner) {
  make_directory(here / "d", 01777);
  EXPECT_ERRNO(EPERM, as(alice, [&] { return set(here / "d", "user.k", "v"); }));
  ASSERT_OK(::chown(here / "d", alice.uid, alice.gid));
  EXPECT_OK(as(alice, [&] { return set(here / "d", "user.k", "v"); }));
}

TEST_F(Xattrs, StayWithTheFile) {
  make_file(here / "f", "x");
  ASSERT_OK(set(here / "f", "user.k", "v"));
  make_link(here / "f", here / "g");
  EXPECT_OK(::rename(here / "f", here / "h"));
  EXPECT_OK(::chmod(here / "h", 0600));
  EXPECT_OK(::chown(here / "h", 5, 5));
  overwrite(here / "h", "more");
  EXPECT_EQ(xattr(here / "h", "user.k"), "v");
  EXPECT_EQ(xattr(here / "g", "user.k"), "v");
  drop_caches();
  EXPECT_EQ(xattr(here / "g", "user.k"), "v");
}

TEST_F(Xattrs, ByDescriptor) {
  make_file(here / "f");
  const FileDescriptor file = opened(here / "f", O_RDONLY);
  EXPECT_OK(::fsetxattr(file.get(), "user.k", "v", 1, 0));
  char buffer[256];
  EXPECT_EQ(::fgetxattr(file.get(), "user.k", buffer, sizeof buffer), 1);
  EXPECT_GE(::flistxattr(file.get(), buffer, sizeof buffer), 7);
  EXPECT_OK(::fremovexattr(file.get(), "user.k"));
  EXPECT_TRUE(own_names(here / "f").empty());
  EXPECT_ERRNO(EBADF, ::fgetxattr(opened(here / "f", O_PATH).get(), "user.k", buffer, sizeof buffer));
}

TEST_F(Xattrs, FollowASymlinkUnlessAskedNotTo) {
  make_file(here / "f");
  make_symlink(here / "l", "f");
  EXPECT_OK(::setxattr(here / "l", "user.k", "v", 1, 0));
  EXPECT_EQ(xattr(here / "f", "user.k"), "v");
  EXPECT_OK(::lsetxattr(here / "l", "trusted.k", "link", 4, 0));
  EXPECT_ERRNO(ENODATA, get(here / "f", "trusted.k"));
}

// A driver that took the path to it from "/" would come back into its own mount.
TEST_F(Xattrs, OfASymlinkIntoTheMountAreItsOwn) {
  make_file(here / "f");
  make_symlink(here / "l", (here / "f").text());
  make_symlink(here / "root", settings().mount.text());
  for (const char* name : {"l", "root"}) {
    EXPECT_OK(set(here / name, "trusted.k", name));
    EXPECT_EQ(xattr(here / name, "trusted.k"), name);
    EXPECT_OK(::lchown(here / name, 5, 6));
    EXPECT_OK(::lremovexattr(here / name, "trusted.k"));
  }
  EXPECT_ERRNO(ENODATA, get(here / "f", "trusted.k"));
  EXPECT_EQ(status(here / "f").st_uid, 0U);
}

TEST_F(Xattrs, ChangeTheCtimeOnly) {
  make_file(here / "f");
  const struct stat was = status(here / "f");
  let_time_pass();
  ASSERT_OK(set(here / "f", "user.k", "v"));
  const struct stat is = status(here / "f");
  EXPECT_TRUE(before(was.st_ctim, is.st_ctim));
  EXPECT_TRUE(same_time(was.st_mtim, is.st_mtim));
  let_time_pass();
  ASSERT_OK(::removexattr(here / "f", "user.k"));
  EXPECT_TRUE(before(is.st_ctim, status(here / "f").st_ctim));
}

TEST_F(Xattrs, OfAnAbsentFile) {
  EXPECT_ERRNO(ENOENT, set(here / "absent", "user.k", "v"));
  EXPECT_ERRNO(ENOENT, get(here / "absent", "user.k"));
  EXPECT_ERRNO(ENOENT, ::llistxattr(here / "absent", nullptr, 0));
}

TEST_F(Xattrs, SecurityOnesAreKept) {
  make_file(here / "f");
  ASSERT_OK(set(here / "f", "security.conformance", "v"));
  EXPECT_EQ(xattr(here / "f", "security.conformance"), "v");
  EXPECT_ERRNO(EPERM, as(alice, [&] { return set(here / "f", "security.conformance", "w"); }));
}

}  // namespace
}  // namespace conformance
