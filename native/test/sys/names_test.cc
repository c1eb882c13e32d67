#include "sys/names.h"

#include <fcntl.h>

#include "sys/c_string.h"
#include "sys/data.h"
#include "sys/open.h"
#include "test/support/temporary_directory.h"

namespace lamina::sys {
namespace {

using test::TemporaryDirectory;

TEST(Name, KeepsTheWholeOfALongOne) {
  const std::string longest(255, 'n');
  EXPECT_EQ(Name(longest).get(), longest);
  EXPECT_TRUE(Name(std::string(256, 'n')).check().failed_with(ENAMETOOLONG));
  EXPECT_TRUE(CString(std::string(4096, 'n')).check().failed_with(ENAMETOOLONG));
  EXPECT_TRUE(Name("\xff\xfe").check().ok());
}

TEST(MakeNode, MakesWhatIsAsked) {
  const TemporaryDirectory root;
  clear_umask();
  ASSERT_TRUE(make_node(root.descriptor(), "pipe", S_IFIFO | 0622, 0, 0).ok());
  EXPECT_EQ(status_at(root.descriptor(), "pipe")->mode, S_IFIFO | 0622U);
  EXPECT_TRUE(make_node(root.descriptor(), "pipe", S_IFREG | 0600, 0, 0).failed_with(EEXIST));
  ASSERT_TRUE(make_directory(root.descriptor(), "directory", 0777).ok());
  EXPECT_EQ(status_at(root.descriptor(), "directory")->mode, S_IFDIR | 0777U);
  ASSERT_TRUE(remove_directory(root.descriptor(), "directory").ok());
  EXPECT_TRUE(status_at(root.descriptor(), "directory").failed_with(ENOENT));
  if (!test::is_root()) return;
  ASSERT_TRUE(make_node(root.descriptor(), "whiteout", S_IFCHR, 0, 0).ok());
  EXPECT_TRUE(status_at(root.descriptor(), "whiteout")->is_whiteout());
  ASSERT_TRUE(make_node(root.descriptor(), "disk", S_IFBLK | 0600, 300, 70000).ok());
  EXPECT_EQ(status_at(root.descriptor(), "disk")->rdev_major, 300U);
  EXPECT_EQ(status_at(root.descriptor(), "disk")->rdev_minor, 70000U);
}

TEST(ReadLink, GivesTargetsOfAnyLength) {
  const TemporaryDirectory root;
  for (const std::size_t length : {1U, 255U, 256U, 257U, 1023U, 1024U, 1025U, 4095U}) {
    const std::string target(length, 't');
    ASSERT_TRUE(make_symlink(root.descriptor(), "link", target).ok());
    EXPECT_EQ(*read_link(root.descriptor(), "link"), target);
    const auto itself = open_child(root.descriptor(), "link", O_PATH);
    EXPECT_EQ(*read_link(itself->get(), {}), target);
    ASSERT_TRUE(unlink(root.descriptor(), "link").ok());
  }
  root.file("file");
  EXPECT_TRUE(read_link(root.descriptor(), "file").failed_with(EINVAL));
}

TEST(Link, GivesAnUnnamedFileAName) {
  const TemporaryDirectory root;
  const auto file = open_unnamed(root.descriptor(), 0600);
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE(write_all(file->get(), "content").ok());
  ASSERT_TRUE(link_descriptor(file->get(), root.descriptor(), "file").ok());
  EXPECT_EQ(root.content("file"), "content");
  ASSERT_TRUE(link(root.descriptor(), "file", root.descriptor(), "second").ok());
  EXPECT_EQ(status_at(root.descriptor(), "second")->nlink, 2U);
  EXPECT_TRUE(link_descriptor(file->get(), root.descriptor(), "file").failed_with(EEXIST));
}

TEST(Link, OfASymlinkIsTheSymlink) {
  const TemporaryDirectory root;
  root.symlink("link", "nowhere");
  ASSERT_TRUE(link(root.descriptor(), "link", root.descriptor(), "second").ok());
  EXPECT_EQ(*read_link(root.descriptor(), "second"), "nowhere");
  const auto itself = open_child(root.descriptor(), "link", O_PATH);
  ASSERT_TRUE(link_descriptor(itself->get(), root.descriptor(), "third").ok());
  EXPECT_EQ(*read_link(root.descriptor(), "third"), "nowhere");
}

TEST(Rename, KnowsItsFlags) {
  const TemporaryDirectory root;
  root.file("a", "a");
  root.file("b", "b");
  EXPECT_TRUE(rename(root.descriptor(), "a", root.descriptor(), "b", RENAME_NOREPLACE).failed_with(EEXIST));
  ASSERT_TRUE(rename(root.descriptor(), "a", root.descriptor(), "b", RENAME_EXCHANGE).ok());
  EXPECT_EQ(root.content("a"), "b");
  ASSERT_TRUE(rename(root.descriptor(), "a", root.descriptor(), "b").ok());
  EXPECT_EQ(root.content("b"), "b");
}

TEST(ChangeAttributes, NeverFollowsASymlink) {
  const TemporaryDirectory root;
  root.file("file");
  ASSERT_TRUE(change_mode(root.descriptor(), "file", 0640).ok());
  root.symlink("link", "file");
  EXPECT_TRUE(change_mode(root.descriptor(), "link", 0777).failed_with(EOPNOTSUPP));
  ASSERT_TRUE(change_times(root.descriptor(), "link", TimeChange::to({1, 2}), TimeChange::to({-3, 4})).ok());
  EXPECT_EQ(status_at(root.descriptor(), "link")->mtime, (FileTime{-3, 4}));
  EXPECT_GT(status_at(root.descriptor(), "file")->mtime.seconds, 1000);
  EXPECT_EQ(status_at(root.descriptor(), "file")->mode & 07777U, 0640U);
  if (!test::is_root()) return;
  ASSERT_TRUE(change_owner(root.descriptor(), "link", 12, 34).ok());
  EXPECT_EQ(status_at(root.descriptor(), "link")->uid, 12U);
  EXPECT_EQ(status_at(root.descriptor(), "file")->uid, 0U);
  ASSERT_TRUE(change_owner(root.descriptor(), "link", keep_id, 35).ok());
  EXPECT_EQ(status_at(root.descriptor(), "link")->uid, 12U);
}

TEST(ChangeAttributes, WorksOnPathDescriptors) {
  const TemporaryDirectory root;
  root.file("file");
  const auto file = open_child(root.descriptor(), "file", O_PATH);
  ASSERT_TRUE(change_mode(file->get(), {}, 04711).ok());
  ASSERT_TRUE(change_times(file->get(), {}, {}, TimeChange::to({7, 8})).ok());
  ASSERT_TRUE(change_owner(file->get(), {}, keep_id, keep_id).ok());
  EXPECT_EQ(status_of(file->get())->mtime, (FileTime{7, 8}));
  EXPECT_EQ(status_of(file->get())->mode & 0777U, 0711U);
}

}  // namespace
}  // namespace lamina::sys
