#include "overlay/upper/acl.h"

#include <sys/stat.h>
#include <sys/xattr.h>

#include "sys/names.h"
#include "sys/xattrs.h"
#include "test/support/temporary_directory.h"

namespace lamina::overlay {
namespace {

std::vector<std::byte> blob(const std::vector<AclEntry>& entries, std::uint32_t version = 2) {
  std::vector<std::byte> out;
  const auto append = [&](std::uint32_t number, int size) {
    for (int index = 0; index < size; ++index) out.push_back(static_cast<std::byte>(number >> (8 * index)));
  };
  append(version, 4);
  for (const AclEntry& entry : entries) {
    append(entry.tag, 2);
    append(entry.permissions, 2);
    append(entry.id, 4);
  }
  return out;
}

const std::vector<AclEntry> minimal = {{1, 7}, {4, 5}, {32, 1}};
const std::vector<AclEntry> extended = {{1, 7}, {2, 6, 1000}, {4, 7}, {8, 5, 50}, {16, 6}, {32, 0}};

TEST(Acl, ReadsAndWritesTheSameBytes) {
  for (const auto& entries : {minimal, extended}) {
    const auto acl = Acl::parse(blob(entries));
    ASSERT_TRUE(acl.ok());
    EXPECT_EQ(acl->entries(), entries);
    EXPECT_EQ(acl->serialize(), blob(entries));
  }
  EXPECT_TRUE(Acl::parse(blob({}))->empty());
}

TEST(Acl, ComesToAMode) {
  EXPECT_EQ(Acl::parse(blob(minimal))->mode(), 0751U);
  EXPECT_TRUE(Acl::parse(blob(minimal))->equivalent_to_mode());
  EXPECT_EQ(Acl::parse(blob(extended))->mode(), 0760U);
  EXPECT_FALSE(Acl::parse(blob(extended))->equivalent_to_mode());
  EXPECT_EQ(Acl::parse(blob(extended))->with_mode(0604).entries(),
            (std::vector<AclEntry>{{1, 6}, {2, 6, 1000}, {4, 7}, {8, 5, 50}, {16, 0}, {32, 4}}));
}

TEST(Acl, RefusesWhatIsNone) {
  EXPECT_TRUE(Acl::parse(blob(minimal, 1)).failed_with(EOPNOTSUPP));
  EXPECT_TRUE(Acl::parse(std::span<const std::byte>(blob(minimal)).first(3)).failed_with(EINVAL));
  EXPECT_TRUE(Acl::parse(std::span<const std::byte>(blob(minimal)).first(20)).failed_with(EINVAL));
  const std::vector<std::vector<AclEntry>> invalid = {
      {{1, 7}, {4, 7}},                      // nobody else
      {{1, 7}, {1, 7}, {4, 7}, {32, 7}},     // two owners
      {{4, 7}, {1, 7}, {32, 7}},             // out of order
      {{1, 8}, {4, 7}, {32, 7}},             // no such permission
      {{1, 7}, {2, 7, 5}, {4, 7}, {32, 7}},  // a user without a mask
      {{1, 7}, {2, 7, 0xFFFFFFFF}, {4, 7}, {16, 7}, {32, 7}},
      {{1, 7}, {3, 7}, {4, 7}, {32, 7}},  // no such tag
  };
  for (const auto& entries : invalid) EXPECT_TRUE(Acl::parse(blob(entries)).failed_with(EINVAL));
}

TEST(Inherit, AppliesTheUmaskOnlyWithoutADefaultList) {
  EXPECT_EQ(inherit(std::nullopt, S_IFREG | 0666, 022)->mode, S_IFREG | 0644U);
  EXPECT_EQ(inherit(std::span<const std::byte>(blob({})), S_IFREG | 0666, 022)->mode, S_IFREG | 0644U);
  EXPECT_EQ(inherit(std::nullopt, S_IFLNK | 0777, 022)->mode, S_IFLNK | 0777U);
  const auto list = blob(minimal);
  const auto inherited = inherit(std::span<const std::byte>(list), S_IFREG | 06666, 077);
  EXPECT_EQ(inherited->mode, S_IFREG | 06640U);
  EXPECT_FALSE(inherited->access.has_value()) << "the mode says it all";
  EXPECT_FALSE(inherited->default_list.has_value());
  const auto broken = blob({{1, 7}});
  EXPECT_TRUE(inherit(std::span<const std::byte>(broken), S_IFREG | 0666, 0).failed_with(EINVAL));
}

// The kernel is the oracle: what a real file system makes of the same list and mode.
TEST(Inherit, DoesWhatTheKernelDoes) {
  const test::TemporaryDirectory root;
  const auto list = blob(extended);
  const sys::Status set = sys::set_xattr(root.descriptor(), {}, default_acl_name, list);
  if (set.failed_with(EOPNOTSUPP)) GTEST_SKIP() << "no access lists on /tmp";
  ASSERT_TRUE(set.ok());
  const mode_t umask = ::umask(027);
  int number = 0;
  for (const mode_t mode : {0777U, 0666U, 0640U, 0600U, 0444U, 0U, 0070U, 0007U}) {
    for (const mode_t type : {S_IFREG, S_IFDIR}) {
      SCOPED_TRACE(mode | type);
      const std::string name = std::to_string(number++);
      ASSERT_TRUE((type == S_IFDIR ? sys::make_directory(root.descriptor(), name, mode)
                                   : sys::make_node(root.descriptor(), name, mode | type, 0, 0))
                      .ok());
      const auto inherited = inherit(std::span<const std::byte>(list), mode | type, 027);
      ASSERT_TRUE(inherited.ok());
      EXPECT_EQ(sys::status_at(root.descriptor(), name)->mode, inherited->mode);
      const auto access = sys::get_xattr(root.descriptor(), name, access_acl_name);
      EXPECT_EQ(access.ok(), inherited->access.has_value());
      if (access.ok() && inherited->access) {
        EXPECT_EQ(*access, *inherited->access);
      }
      const auto fallback = sys::get_xattr(root.descriptor(), name, default_acl_name);
      EXPECT_EQ(fallback.ok(), inherited->default_list.has_value());
      if (fallback.ok() && inherited->default_list) {
        EXPECT_EQ(*fallback, *inherited->default_list);
      }
    }
  }
  ::umask(umask);
}

TEST(WithMode, DoesWhatTheKernelDoes) {
  const test::TemporaryDirectory root;
  root.file("file");
  const auto list = blob(extended);
  const sys::Status set = sys::set_xattr(root.descriptor(), "file", access_acl_name, list);
  if (set.failed_with(EOPNOTSUPP)) GTEST_SKIP() << "no access lists on /tmp";
  ASSERT_TRUE(set.ok());
  for (const mode_t mode : {0777U, 0640U, 0070U, 0U}) {
    ASSERT_TRUE(sys::change_mode(root.descriptor(), "file", mode).ok());
    EXPECT_EQ(*sys::get_xattr(root.descriptor(), "file", access_acl_name),
              Acl::parse(list)->with_mode(mode).serialize());
  }
}

}  // namespace
}  // namespace lamina::overlay
