// POSIX access control lists: acl(5).
#include <endian.h>
#include <fcntl.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstring>

#include "support/scratch.h"

namespace conformance {
namespace {

using Acl = Scratch;

const std::string access_list = "system.posix_acl_access";
const std::string default_list = "system.posix_acl_default";

struct Rule {
  std::uint16_t tag, permissions;
  std::uint32_t id = static_cast<std::uint32_t>(ACL_UNDEFINED_ID);
};

// The xattr's value, version 2.
std::string acl(const std::vector<Rule>& rules) {
  std::string bytes(sizeof(posix_acl_xattr_header), '\0');
  const std::uint32_t version = htole32(POSIX_ACL_XATTR_VERSION);
  std::memcpy(bytes.data(), &version, sizeof version);
  for (const Rule& rule : rules) {
    posix_acl_xattr_entry entry{};
    entry.e_tag = htole16(rule.tag);
    entry.e_perm = htole16(rule.permissions);
    entry.e_id = htole32(rule.id);
    bytes.append(reinterpret_cast<const char*>(&entry), sizeof entry);
  }
  return bytes;
}

// u::user g::group o::other and alice's own permissions under a mask.
std::string acl_for_alice(std::uint16_t user, std::uint16_t group, std::uint16_t other, std::uint16_t of_alice,
                          std::uint16_t mask) {
  return acl({{ACL_USER_OBJ, user},
              {ACL_USER, of_alice, alice.uid},
              {ACL_GROUP_OBJ, group},
              {ACL_MASK, mask},
              {ACL_OTHER, other}});
}

long set_acl(const Path& path, const std::string& name, const std::string& value) {
  return ::setxattr(path, name.c_str(), value.data(), value.size(), 0);
}
long get_acl(const Path& path, const std::string& name) { return ::getxattr(path, name.c_str(), nullptr, 0); }

TEST_F(Acl, ThereIsNoneAtFirst) {
  make_file(here / "f");
  EXPECT_ERRNO(ENODATA, get_acl(here / "f", access_list));
  EXPECT_ERRNO(ENODATA, get_acl(here, default_list));
}

TEST_F(Acl, IsStoredAndListed) {
  make_file(here / "f");
  const std::string list = acl_for_alice(6, 4, 4, 6, 6);
  ASSERT_OK(set_acl(here / "f", access_list, list));
  EXPECT_TRUE(xattr(here / "f", access_list) == list);
  const std::vector<std::string> all = xattr_names(here / "f");
  EXPECT_EQ(std::count(all.begin(), all.end(), access_list), 1);
  drop_caches();
  EXPECT_TRUE(xattr(here / "f", access_list) == list);
}

TEST_F(Acl, TheMaskBecomesTheGroupBits) {
  make_file(here / "f", "", 0600);
  ASSERT_OK(set_acl(here / "f", access_list, acl_for_alice(6, 4, 0, 6, 7)));
  EXPECT_EQ(mode_bits(here / "f"), 0670U);
}

TEST_F(Acl, ANamedUserGetsAccess) {
  make_file(here / "f", "x", 0600);
  EXPECT_ERRNO(EACCES, as(alice, [&] { return can_open(here / "f", O_RDWR); }));
  ASSERT_OK(set_acl(here / "f", access_list, acl_for_alice(6, 0, 0, 6, 6)));
  EXPECT_OK(as(alice, [&] { return can_open(here / "f", O_RDWR); }));
  EXPECT_ERRNO(EACCES, as(bob, [&] { return can_open(here / "f", O_RDONLY); }));
}

TEST_F(Acl, ANamedUserLosesAccess) {
  make_file(here / "f", "x", 0666);
  ASSERT_OK(set_acl(here / "f", access_list, acl_for_alice(6, 6, 6, 0, 6)));
  EXPECT_ERRNO(EACCES, as(alice, [&] { return can_open(here / "f", O_RDONLY); }));
  EXPECT_OK(as(bob, [&] { return can_open(here / "f", O_RDWR); }));
}

TEST_F(Acl, TheMaskLimits) {
  make_file(here / "f", "x", 0600);
  ASSERT_OK(set_acl(here / "f", access_list, acl_for_alice(6, 0, 0, 6, 4)));
  EXPECT_OK(as(alice, [&] { return can_open(here / "f", O_RDONLY); }));
  EXPECT_ERRNO(EACCES, as(alice, [&] { return can_open(here / "f", O_WRONLY); }));
}

TEST_F(Acl, ANamedGroupGetsAccess) {
  make_file(here / "f", "x", 0600);
  ASSERT_OK(
      set_acl(here / "f", access_list,
              acl({{ACL_USER_OBJ, 6}, {ACL_GROUP_OBJ, 0}, {ACL_GROUP, 4, staff}, {ACL_MASK, 4}, {ACL_OTHER, 0}})));
  EXPECT_OK(as(User{1003, 1003, {staff}}, [&] { return can_open(here / "f", O_RDONLY); }));
  EXPECT_ERRNO(EACCES, as(alice, [&] { return can_open(here / "f", O_RDONLY); }));
}

TEST_F(Acl, GuardsDirectories) {
  make_directory(here / "d", 0700);
  make_file(here / "d/f", "x");
  ASSERT_OK(set_acl(here / "d", access_list, acl_for_alice(7, 0, 0, 7, 7)));
  EXPECT_OK(as(alice, [&] { return can_open(here / "d/f", O_RDONLY); }));
  EXPECT_OK(as(alice, [&]() -> long { return ::mkdir(here / "d/made", 0755); }));
  EXPECT_ERRNO(EACCES, as(bob, [&] { return can_open(here / "d/f", O_RDONLY); }));
}

TEST_F(Acl, ChmodChangesTheMask) {
  make_file(here / "f", "x", 0600);
  ASSERT_OK(set_acl(here / "f", access_list, acl_for_alice(6, 4, 0, 6, 6)));
  ASSERT_OK(::chmod(here / "f", 0640));
  EXPECT_TRUE(xattr(here / "f", access_list) == acl_for_alice(6, 4, 0, 6, 4));
  EXPECT_ERRNO(EACCES, as(alice, [&] { return can_open(here / "f", O_WRONLY); }));
  EXPECT_OK(as(alice, [&] { return can_open(here / "f", O_RDONLY); }));
}

TEST_F(Acl, AMinimalOneIsJustTheMode) {
  make_file(here / "f", "x", 0600);
  ASSERT_OK(set_acl(here / "f", access_list, acl({{ACL_USER_OBJ, 7}, {ACL_GROUP_OBJ, 5}, {ACL_OTHER, 1}})));
  EXPECT_EQ(mode_bits(here / "f"), 0751U);
  EXPECT_ERRNO(ENODATA, get_acl(here / "f", access_list));
}

TEST_F(Acl, IsRemoved) {
  make_file(here / "f", "x", 0600);
  ASSERT_OK(set_acl(here / "f", access_list, acl_for_alice(6, 4, 0, 6, 6)));
  EXPECT_OK(::removexattr(here / "f", access_list.c_str()));
  EXPECT_ERRNO(ENODATA, get_acl(here / "f", access_list));
  EXPECT_ERRNO(EACCES, as(alice, [&] { return can_open(here / "f", O_RDONLY); }));
}

TEST_F(Acl, ThereNeedBeNoneToRemove) {
  make_file(here / "f", "x", 0640);
  make_directory(here / "d", 0751);
  const auto set_empty = [&](const Path& path, const std::string& name) { return set_acl(path, name, acl({})); };
  EXPECT_OK(set_empty(here / "f", access_list));
  EXPECT_OK(::removexattr(here / "f", access_list.c_str()));
  for (const std::string& name : {access_list, default_list}) {
    EXPECT_OK(set_empty(here / "d", name));
    EXPECT_OK(::removexattr(here / "d", name.c_str()));
  }
  EXPECT_EQ(mode_bits(here / "f"), 0640U);
  EXPECT_EQ(mode_bits(here / "d"), 0751U);
  ASSERT_OK(set_acl(here / "d", default_list, acl_for_alice(6, 4, 0, 6, 6)));
  EXPECT_OK(set_empty(here / "d", default_list));
  EXPECT_ERRNO(ENODATA, get_acl(here / "d", default_list));
}

TEST_F(Acl, NonsenseIsRefused) {
  make_file(here / "f");
  make_directory(here / "d");
  EXPECT_ERRNO(EOPNOTSUPP, set_acl(here / "f", access_list, std::string("\1\0\0\0", 4))) << "version 1";
  EXPECT_ERRNO(EINVAL, set_acl(here / "f", access_list, acl({{ACL_USER_OBJ, 6}, {ACL_OTHER, 0}})));
  EXPECT_ERRNO(EINVAL, set_acl(here / "f", access_list,
                               acl({{ACL_USER_OBJ, 6}, {ACL_USER, 6, alice.uid}, {ACL_GROUP_OBJ, 0}, {ACL_OTHER, 0}})))
      << "a named user without a mask";
  EXPECT_ERRNO(EACCES, set_acl(here / "f", default_list, acl_for_alice(7, 5, 5, 7, 7))) << "a default for a file";
}

TEST_F(Acl, IsForTheOwnerToSet) {
  make_file(here / "f", "", 0666);
  EXPECT_ERRNO(EPERM, as(alice, [&] { return set_acl(here / "f", access_list, acl_for_alice(7, 7, 7, 7, 7)); }));
  ASSERT_OK(::chown(here / "f", alice.uid, alice.gid));
  EXPECT_OK(as(alice, [&] { return set_acl(here / "f", access_list, acl_for_alice(7, 7, 7, 7, 7)); }));
}

TEST_F(Acl, SettingOneClearsAForeignGroupsSetgid) {
  make_file(here / "f", "", 0755);
  ASSERT_OK(::chown(here / "f", alice.uid, staff));
  ASSERT_OK(::chmod(here / "f", 02755));
  EXPECT_OK(as(alice, [&] { return set_acl(here / "f", access_list, acl_for_alice(7, 5, 5, 7, 7)); }));
  EXPECT_EQ(mode_bits(here / "f"), 0775U);
}

TEST_F(Acl, ADefaultGoesToNewFilesInsteadOfTheUmask) {
  make_directory(here / "d", 0777);
  ASSERT_OK(set_acl(here / "d", default_list, acl_for_alice(6, 6, 4, 6, 6)));
  EXPECT_OK(in_child([&]() -> long {
    ::umask(077);
    return opened(here / "d/f", O_CREAT | O_WRONLY, 0666).valid() ? 0 : -1;
  }));
  EXPECT_EQ(mode_bits(here / "d/f"), 0664U);
  EXPECT_TRUE(xattr(here / "d/f", access_list) == acl_for_alice(6, 6, 4, 6, 6));
  EXPECT_ERRNO(ENODATA, get_acl(here / "d/f", default_list));
}

TEST_F(Acl, ADefaultIsLimitedByTheModeAskedFor) {
  make_directory(here / "d", 0777);
  ASSERT_OK(set_acl(here / "d", default_list, acl_for_alice(7, 7, 7, 7, 7)));
  EXPECT_TRUE(opened(here / "d/f", O_CREAT | O_WRONLY, 0640).valid());
  EXPECT_EQ(mode_bits(here / "d/f"), 0640U);
  EXPECT_TRUE(xattr(here / "d/f", access_list) == acl_for_alice(6, 7, 0, 7, 4));
  EXPECT_OK(as(alice, [&] { return can_open(here / "d/f", O_RDONLY); }));
  EXPECT_ERRNO(EACCES, as(alice, [&] { return can_open(here / "d/f", O_WRONLY); }));
}

TEST_F(Acl, ADefaultGoesToNewDirectoriesAsBoth) {
  make_directory(here / "d", 0777);
  const std::string list = acl_for_alice(7, 5, 0, 7, 7);
  ASSERT_OK(set_acl(here / "d", default_list, list));
  EXPECT_OK(in_child([&]() -> long {
    ::umask(077);
    return ::mkdir(here / "d/sub", 0777);
  }));
  EXPECT_TRUE(xattr(here / "d/sub", access_list) == list);
  EXPECT_TRUE(xattr(here / "d/sub", default_list) == list);
  EXPECT_EQ(mode_bits(here / "d/sub"), 0770U);
}

TEST_F(Acl, ADefaultGoesToNodesAndUnnamedFiles) {
  make_directory(here / "d", 0777);
  ASSERT_OK(set_acl(here / "d", default_list, acl_for_alice(6, 6, 4, 6, 6)));
  EXPECT_OK(in_child([&]() -> long {
    ::umask(077);
    if (::mknod(here / "d/fifo", S_IFIFO | 0666, 0) != 0 || ::mknod(here / "d/node", S_IFREG | 0666, 0) != 0) return -1;
    const FileDescriptor file = opened(here / "d", O_TMPFILE | O_RDWR, 0666);
    return ::linkat(file.get(), "", AT_FDCWD, here / "d/tmpfile", AT_EMPTY_PATH);
  }));
  for (const char* name : {"fifo", "node", "tmpfile"}) {
    EXPECT_EQ(mode_bits(here / "d" / name), 0664U) << name;
    EXPECT_TRUE(xattr(here / "d" / name, access_list) == acl_for_alice(6, 6, 4, 6, 6)) << name;
  }
}

TEST_F(Acl, AMinimalDefaultJustSetsTheMode) {
  make_directory(here / "d", 0777);
  ASSERT_OK(set_acl(here / "d", default_list, acl({{ACL_USER_OBJ, 7}, {ACL_GROUP_OBJ, 5}, {ACL_OTHER, 0}})));
  EXPECT_OK(in_child([&]() -> long {
    ::umask(0777);
    return opened(here / "d/f", O_CREAT | O_WRONLY, 0666).valid() ? 0 : -1;
  }));
  EXPECT_EQ(mode_bits(here / "d/f"), 0640U);
  EXPECT_ERRNO(ENODATA, get_acl(here / "d/f", access_list));
}

TEST_F(Acl, ASymlinkInheritsNothing) {
  make_directory(here / "d", 0777);
  ASSERT_OK(set_acl(here / "d", default_list, acl_for_alice(7, 0, 0, 7, 7)));
  make_symlink(here / "d/l", "t");
  EXPECT_EQ(status(here / "d/l").st_mode & 07777, 0777U);
  const std::vector<std::string> all = xattr_names(here / "d/l");
  EXPECT_EQ(std::count(all.begin(), all.end(), access_list), 0);
}

TEST_F(Acl, RenamingAndLinkingKeepIt) {
  make_file(here / "f", "", 0600);
  const std::string list = acl_for_alice(6, 4, 0, 6, 6);
  ASSERT_OK(set_acl(here / "f", access_list, list));
  ASSERT_OK(::rename(here / "f", here / "g"));
  make_link(here / "g", here / "h");
  ASSERT_OK(::chown(here / "h", 5, 5));
  EXPECT_TRUE(xattr(here / "h", access_list) == list);
}

}  // namespace
}  // namespace conformance
