#include "sys/xattrs.h"

#include <fcntl.h>
#include <sys/xattr.h>

#include <algorithm>

#include "sys/directory.h"
#include "sys/open.h"
#include "test/support/temporary_directory.h"

namespace lamina::sys {
namespace {

using test::TemporaryDirectory;

std::string text(const Result<std::vector<std::byte>>& value) {
  return value.ok() ? std::string(reinterpret_cast<const char*>(value->data()), value->size())
                    : "errno " + std::to_string(value.error().value);
}

std::vector<std::string> names(const Result<std::string>& list) {
  std::vector<std::string> found;
  for_each_name(*list, [&](std::string_view name) { found.emplace_back(name); });
  std::sort(found.begin(), found.end());
  return found;
}

TEST(Xattrs, AreReachedByNameDescriptorAndPathDescriptor) {
  const TemporaryDirectory root;
  root.file("file");
  const auto file = open_child(root.descriptor(), "file", O_RDONLY);
  const auto path = open_child(root.descriptor(), "file", O_PATH);
  ASSERT_TRUE(set_xattr(root.descriptor(), "file", "user.a", as_value("by name")).ok());
  ASSERT_TRUE(set_xattr(file->get(), {}, "user.b", as_value("by descriptor")).ok());
  ASSERT_TRUE(set_xattr(path->get(), {}, "user.c", as_value("by path descriptor")).ok());
  for (const auto& [at, name] : {std::pair{root.descriptor(), "file"}, {file->get(), ""}, {path->get(), ""}}) {
    EXPECT_EQ(text(get_xattr(at, name, "user.a")), "by name");
    EXPECT_EQ(text(get_xattr(at, name, "user.c")), "by path descriptor");
    EXPECT_EQ(names(list_xattrs(at, name)), (std::vector<std::string>{"user.a", "user.b", "user.c"}));
    EXPECT_TRUE(get_xattr(at, name, "user.none").failed_with(ENODATA));
  }
  ASSERT_TRUE(remove_xattr(path->get(), {}, "user.a").ok());
  ASSERT_TRUE(remove_xattr(root.descriptor(), "file", "user.b").ok());
  EXPECT_TRUE(remove_xattr(file->get(), {}, "user.b").failed_with(ENODATA));
  EXPECT_TRUE(set_xattr(file->get(), {}, "user.c", as_value("x"), XATTR_CREATE).failed_with(EEXIST));
  EXPECT_TRUE(set_xattr(root.descriptor(), "file", "user.n", as_value("x"), XATTR_REPLACE).failed_with(ENODATA));
}

TEST(Xattrs, OfASymlinkAreItsOwn) {
  if (!test::is_root()) GTEST_SKIP() << "only trusted and security attributes live on symlinks";
  const TemporaryDirectory root;
  root.file("file");
  root.symlink("link", "file");
  const auto link = open_child(root.descriptor(), "link", O_PATH);
  ASSERT_TRUE(set_xattr(root.descriptor(), "link", "trusted.a", as_value("1")).ok());
  ASSERT_TRUE(set_xattr(link->get(), {}, "trusted.b", as_value("2")).ok());
  EXPECT_EQ(text(get_xattr(link->get(), {}, "trusted.a")), "1");
  EXPECT_EQ(text(get_xattr(root.descriptor(), "link", "trusted.b")), "2");
  EXPECT_EQ(names(list_xattrs(root.descriptor(), "file")), std::vector<std::string>());
}

TEST(Xattrs, KeepBinaryValuesOfAnySize) {
  const TemporaryDirectory root;
  root.file("file");
  for (const std::size_t size : {0U, 1U, 255U, 256U, 257U, 2000U}) {
    std::string value(size, '\0');
    for (std::size_t at = 0; at < size; ++at) value[at] = static_cast<char>(at * 7);
    ASSERT_TRUE(set_xattr(root.descriptor(), "file", "user.value", as_value(value)).ok()) << size;
    EXPECT_EQ(text(get_xattr(root.descriptor(), "file", "user.value")), value);
  }
}

TEST(Xattrs, AreCopiedThroughAFilter) {
  const TemporaryDirectory root;
  root.file("from");
  root.file("to");
  for (const char* name : {"user.keep", "user.drop", "user.keep2"}) {
    ASSERT_TRUE(set_xattr(root.descriptor(), "from", name, as_value(name)).ok());
  }
  const auto from = open_child(root.descriptor(), "from", O_PATH);
  const auto to = open_child(root.descriptor(), "to", O_RDWR);
  ASSERT_TRUE(copy_xattrs(from->get(), to->get(), [](std::string_view name) { return name != "user.drop"; }).ok());
  EXPECT_EQ(names(list_xattrs(to->get(), {})), (std::vector<std::string>{"user.keep", "user.keep2"}));
  EXPECT_EQ(text(get_xattr(to->get(), {}, "user.keep2")), "user.keep2");
}

TEST(ReadDirectory, GivesEveryNameOnce) {
  const TemporaryDirectory root;
  constexpr int count = 3000;
  for (int number = 0; number < count; ++number) root.file("a-rather-long-name-of-a-file-" + std::to_string(number));
  root.directory("directory");
  root.symlink("link", "x");
  for (int round = 0; round < 2; ++round) {
    std::vector<std::string> found;
    ASSERT_TRUE(read_directory(root.descriptor(), [&](const DirectoryRecord& record) -> Status {
                  EXPECT_TRUE(record.name != "directory" || record.type == 0 || record.type == S_IFDIR);
                  EXPECT_TRUE(record.name != "link" || record.type == 0 || record.type == S_IFLNK);
                  found.emplace_back(record.name);
                  return {};
                }).ok());
    std::sort(found.begin(), found.end());
    EXPECT_EQ(found.size(), std::size_t{count} + 2);
    EXPECT_EQ(std::unique(found.begin(), found.end()), found.end());
  }
  int seen = 0;
  EXPECT_TRUE(read_directory(root.descriptor(), [&](const DirectoryRecord&) -> Status {
                return ++seen == 3 ? Status(Errno{EINTR}) : Status();
              }).failed_with(EINTR));
  EXPECT_EQ(seen, 3);
}

}  // namespace
}  // namespace lamina::sys
