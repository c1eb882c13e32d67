#include "sys/open.h"

#include <fcntl.h>

#include "sys/data.h"
#include "sys/names.h"
#include "sys/status.h"
#include "test/support/temporary_directory.h"

namespace lamina::sys {
namespace {

using test::TemporaryDirectory;

TEST(OpenBeneath, FollowsNoSymlinkAndStaysInside) {
  const TemporaryDirectory root;
  root.directory("a");
  root.file("a/file", "x");
  root.symlink("to_a", "a");
  root.symlink("a/to_file", "file");
  EXPECT_TRUE(open_beneath(root.descriptor(), "a/file", O_RDONLY).ok());
  EXPECT_TRUE(open_beneath(root.descriptor(), "to_a/file", O_RDONLY).failed_with(ELOOP));
  EXPECT_TRUE(open_beneath(root.descriptor(), "a/to_file", O_RDONLY).failed_with(ELOOP));
  EXPECT_TRUE(open_beneath(root.descriptor(), "../etc", O_RDONLY).failed_with(EXDEV));
  EXPECT_TRUE(open_beneath(root.descriptor(), "/etc", O_RDONLY).failed_with(EXDEV));
  EXPECT_TRUE(open_beneath(root.descriptor(), "none", O_RDONLY).failed_with(ENOENT));
  EXPECT_TRUE(open_beneath(root.descriptor(), "a/file/x", O_RDONLY).failed_with(ENOTDIR));

  const auto link = open_beneath(root.descriptor(), "a/to_file", O_PATH | O_NOFOLLOW);
  ASSERT_TRUE(link.ok());
  EXPECT_TRUE(status_of(link->get())->is_symlink());
  const auto self = open_beneath(root.descriptor(), "", O_RDONLY | O_DIRECTORY);
  ASSERT_TRUE(self.ok());
  EXPECT_EQ(status_of(self->get())->ino, status_of(root.descriptor())->ino);
}

TEST(OpenBeneath, WalksPathsThatAreLongerThanTheKernelTakes) {
  const TemporaryDirectory root;
  const std::string name(200, 'n');
  std::string path;
  auto directory = duplicate(root.descriptor());
  for (int depth = 0; depth < 50; ++depth) {
    ASSERT_TRUE(make_directory(directory->get(), name, 0755).ok());
    directory = open_child(directory->get(), name, O_RDONLY | O_DIRECTORY);
    ASSERT_TRUE(directory.ok());
    path += (path.empty() ? "" : "/") + name;
  }
  ASSERT_GT(path.size(), std::size_t{2} * 4096);
  const auto deep = open_beneath(root.descriptor(), path, O_PATH);
  ASSERT_TRUE(deep.ok());
  EXPECT_EQ(status_of(deep->get())->ino, status_of(directory->get())->ino);
  EXPECT_TRUE(open_beneath(root.descriptor(), path + "/none", O_PATH).failed_with(ENOENT));
  EXPECT_TRUE(open_beneath(root.descriptor(), std::string(5000, 'x'), O_PATH).failed_with(ENAMETOOLONG));
}

TEST(OpenInRoot, TakesTheRootForTheWholeWorld) {
  const TemporaryDirectory root;
  root.directory("etc");
  root.file("etc/hostname", "inside");
  root.symlink("escape", "/etc/hostname");
  const auto file = open_in_root(root.descriptor(), "escape", O_RDONLY);
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(*read_whole(file->get(), 100), "inside");
  EXPECT_TRUE(open_in_root(root.descriptor(), "../../etc/hostname", O_RDONLY).ok());
}

TEST(OpenChild, TakesOneComponentOnly) {
  const TemporaryDirectory root;
  root.directory("a");
  root.file("a/file");
  EXPECT_TRUE(open_child(root.descriptor(), "a/file", O_RDONLY).failed_with(EINVAL));
  EXPECT_TRUE(open_child(root.descriptor(), "..", O_RDONLY).failed_with(EINVAL));
  EXPECT_TRUE(open_child(root.descriptor(), std::string_view("a\0b", 3), O_RDONLY).failed_with(EINVAL));
  EXPECT_TRUE(open_child(root.descriptor(), std::string(256, 'x'), O_RDONLY).failed_with(ENAMETOOLONG));
  root.symlink("link", "a");
  EXPECT_TRUE(open_child(root.descriptor(), "link", O_RDONLY).failed_with(ELOOP));
}

TEST(Reopen, GivesANewDescriptionOfAPathDescriptor) {
  const TemporaryDirectory root;
  root.file("file", "content");
  const auto path = open_child(root.descriptor(), "file", O_PATH);
  ASSERT_TRUE(path.ok());
  ASSERT_EQ(::unlink(root.path("file").c_str()), 0);
  const auto file = reopen(path->get(), O_RDONLY);
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(*read_whole(file->get(), 100), "content");
}

TEST(CloneTree, IsReadOnlyAndLeavesAccessTimesAlone) {
  if (!test::is_root()) GTEST_SKIP() << "needs CAP_SYS_ADMIN";
  const TemporaryDirectory root;
  root.file("file", "content");
  const auto tree = clone_tree(root.path(), TreeAccess::read_only);
  if (tree.failed_with(EPERM)) GTEST_SKIP() << "needs CAP_SYS_ADMIN";
  ASSERT_TRUE(tree.ok());
  EXPECT_TRUE(open_child(tree->get(), "file", O_RDWR).failed_with(EROFS));
  EXPECT_TRUE(open_child(tree->get(), "new", O_RDWR | O_CREAT, 0644).failed_with(EROFS));

  // An access time that is older than the modification would be updated even by a relatime mount.
  ASSERT_TRUE(change_times(root.descriptor(), "file", TimeChange::to({1000, 5}), TimeChange::to_now()).ok());
  const auto file = open_child(tree->get(), "file", O_RDONLY);
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(*read_whole(file->get(), 100), "content");
  EXPECT_EQ(status_of(file->get())->atime, (FileTime{1000, 5}));
  root.file("later");
  EXPECT_TRUE(status_at(tree->get(), "later").ok());
  EXPECT_TRUE(clone_tree(root.path("none"), TreeAccess::read_only).failed_with(ENOENT));
}

TEST(OpenNoatime, FallsBackForFilesOfOthers) {
  const TemporaryDirectory root;
  root.file("file", "content");
  EXPECT_TRUE(open_child_noatime(root.descriptor(), "file", O_RDONLY).ok());
  EXPECT_TRUE(open_beneath_noatime(root.descriptor(), "file", O_RDONLY).ok());
  EXPECT_TRUE(open_beneath_noatime(root.descriptor(), "none", O_RDONLY).failed_with(ENOENT));
}

}  // namespace
}  // namespace lamina::sys
