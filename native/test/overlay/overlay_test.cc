// The composed tree without a mount: what a kernel would ask, asked directly.
#include "overlay/file_system.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "sys/status.h"
#include "sys/xattrs.h"
#include "test/overlay/sample_tree.h"
#include "test/support/calls.h"

namespace lamina::overlay {
namespace {

using test::calls_of;
using test::TemporaryDirectory;

class OverlayTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"top", "bottom/d/e", "upper", "work"}) place_.directory(name);
    place_.file("bottom/f", "content");
    place_.file("bottom/d/g", "of d");
    place_.file("bottom/shown", "below");
    place_.file("top/shown", "above");
    open();
  }

  void open(bool writable = true) {
    file_system_.reset();
    Options options;
    options.lowers = {{place_.path("top"), ""}, {place_.path("bottom"), ""}};
    if (writable) {
      options.upper = place_.path("upper");
      options.work = place_.path("work");
    }
    options.user_xattr = test::user_marks();
    std::string explanation;
    auto opened = FileSystem::open(options, explanation);
    ASSERT_TRUE(opened.ok()) << explanation;
    file_system_ = std::move(*opened);
  }

  Entry at(const std::string& path) {
    Entry entry;
    entry.node = root_node;
    std::size_t start = 0;
    while (start < path.size()) {
      const std::size_t slash = std::min(path.find('/', start), path.size());
      const auto found = file_system_->lookup(entry.node, path.substr(start, slash - start));
      EXPECT_TRUE(found.ok()) << path;
      if (!found.ok()) return {};
      entry = *found;
      start = slash + 1;
    }
    return entry;
  }
  int absent(NodeId parent, const char* name) {
    const auto found = file_system_->lookup(parent, name);
    return found.ok() ? 0 : found.error().value;
  }
  std::string content(NodeId node) {
    const auto file = file_system_->file(node, Access::read, test::never);
    EXPECT_TRUE(file.ok());
    if (!file.ok()) return "";
    char text[64] = {};
    const ssize_t size = ::pread((*file)->descriptor(), text, sizeof text, 0);
    return {text, static_cast<std::size_t>(std::max<ssize_t>(size, 0))};
  }
  void write(NodeId node, const std::string& text) {
    const auto file = file_system_->file(node, Access::write, test::never);
    ASSERT_TRUE(file.ok());
    ASSERT_EQ(::pwrite((*file)->descriptor(), text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
  }
  std::vector<std::string> names(NodeId directory) {
    std::vector<std::string> found;
    const auto listed = file_system_->list(directory);
    EXPECT_TRUE(listed.ok());
    if (!listed.ok()) return found;
    for (const DirectoryEntry& each : **listed) found.push_back(each.name);
    std::sort(found.begin(), found.end());
    return found;
  }

  TemporaryDirectory place_;
  std::unique_ptr<FileSystem> file_system_;
  const Caller root_{0, 0, 1, 022};
};

TEST_F(OverlayTest, ShowsTheTopmostOfEachName) {
  EXPECT_EQ(names(root_node), (std::vector<std::string>{"d", "f", "shown"}));
  EXPECT_EQ(content(at("shown").node), "above");
  EXPECT_EQ(content(at("d/g").node), "of d");
  EXPECT_EQ(absent(root_node, "none"), ENOENT);
  EXPECT_EQ(absent(root_node, std::string(256, 'x').c_str()), ENAMETOOLONG);
  EXPECT_EQ(absent(at("f").node, "x"), ENOTDIR);
}

TEST_F(OverlayTest, CopiesUpAtTheFirstWriteAndKeepsTheNode) {
  const Entry before = at("d/g");
  EXPECT_EQ(content(before.node), "of d");
  EXPECT_FALSE(std::filesystem::exists(place_.path("upper/d")));
  write(before.node, "OF");
  EXPECT_EQ(content(before.node), "OF d");
  EXPECT_EQ(place_.content("upper/d/g"), "OF d");
  EXPECT_EQ(place_.content("bottom/d/g"), "of d");
  EXPECT_EQ(at("d/g").node, before.node);
  EXPECT_EQ(at("d/g").attributes.ino, before.attributes.ino);
  EXPECT_EQ(file_system_->counters().copy_ups, 2U);
  EXPECT_TRUE(std::filesystem::is_empty(place_.path("work/work")));
}

TEST_F(OverlayTest, SaysTheSameOfAFileWhenItIsFoundAndWhenItIsAsked) {
  ASSERT_TRUE(file_system_->make_node(root_node, "made", 0100640, 0, 0, {}).ok());
  ASSERT_TRUE(file_system_->make_directory(root_node, "newdir", 0750, {}).ok());
  write(at("d/g").node, "changed");
  for (const char* path : {"made", "newdir", "d", "d/g", "d/e", "f", "shown"}) {
    const Entry found = at(path);
    const auto asked = file_system_->attributes(found.node);
    ASSERT_TRUE(asked.ok()) << path;
    EXPECT_EQ(found.attributes.ino, asked->ino) << path;
    EXPECT_EQ(found.attributes.mode, asked->mode) << path;
    EXPECT_EQ(found.attributes.nlink, asked->nlink) << path;
    EXPECT_EQ(found.attributes.size, asked->size) << path;
    EXPECT_EQ(found.attributes.blocks, asked->blocks) << path;
    EXPECT_EQ(found.attributes.mtime, asked->mtime) << path;
    EXPECT_EQ(found.attributes.ctime, asked->ctime) << path;
  }
}

TEST_F(OverlayTest, KeepsTheNumberOverARemount) {
  const std::uint64_t number = at("f").attributes.ino;
  write(at("f").node, "C");
  open();
  EXPECT_EQ(at("f").attributes.ino, number);
  EXPECT_EQ(content(at("f").node), "Content");
}

TEST_F(OverlayTest, HidesWhatIsRemovedAndShowsWhatIsMadeAnew) {
  if (!test::is_root()) GTEST_SKIP() << "a whiteout is a device node";
  ASSERT_TRUE(file_system_->unlink(root_node, "f").ok());
  EXPECT_EQ(absent(root_node, "f"), ENOENT);
  struct stat status = {};
  ASSERT_EQ(::lstat(place_.path("upper/f").c_str(), &status), 0);
  EXPECT_TRUE(S_ISCHR(status.st_mode) && status.st_rdev == 0);
  ASSERT_TRUE(file_system_->make_node(root_node, "f", S_IFREG | 0644, 0, 0, root_).ok());
  EXPECT_EQ(content(at("f").node), "");
  EXPECT_TRUE(file_system_->remove_directory(root_node, "d").failed_with(ENOTEMPTY));
  EXPECT_TRUE(file_system_->unlink(root_node, "d").failed_with(EISDIR));
  EXPECT_TRUE(file_system_->remove_directory(root_node, "f").failed_with(ENOTDIR));
}

TEST_F(OverlayTest, MakesADirectoryOverARemovedOneThatShowsNothingOfIt) {
  if (!test::is_root()) GTEST_SKIP() << "a whiteout is a device node";
  const NodeId d = at("d").node;
  ASSERT_TRUE(file_system_->unlink(d, "g").ok());
  ASSERT_TRUE(file_system_->remove_directory(d, "e").ok());
  ASSERT_TRUE(file_system_->remove_directory(root_node, "d").ok());
  ASSERT_TRUE(file_system_->make_directory(root_node, "d", 0755, root_).ok());
  EXPECT_TRUE(names(at("d").node).empty());
  open();
  EXPECT_TRUE(names(at("d").node).empty());
}

TEST_F(OverlayTest, RenamesADirectoryOfALowerWithoutCopyingWhatIsBelow) {
  if (test::user_marks()) GTEST_SKIP() << "redirects are trusted.*";
  const NodeId d = at("d").node;
  ASSERT_TRUE(file_system_->rename(root_node, "d", root_node, "moved", RenameMode::replace, test::never).ok());
  EXPECT_EQ(absent(root_node, "d"), ENOENT);
  EXPECT_EQ(at("moved").node, d);
  EXPECT_EQ(content(at("moved/g").node), "of d");
  EXPECT_FALSE(std::filesystem::exists(place_.path("upper/moved/g")));
  open();
  EXPECT_EQ(content(at("moved/g").node), "of d");
  EXPECT_EQ(names(root_node), (std::vector<std::string>{"f", "moved", "shown"}));
}

TEST_F(OverlayTest, KeepsARemovedFileForWhoHasIt) {
  const Entry open_one = at("f");
  EXPECT_EQ(content(open_one.node), "content");
  ASSERT_TRUE(file_system_->unlink(root_node, "f").ok());
  EXPECT_EQ(content(open_one.node), "content");
  write(open_one.node, "C");
  EXPECT_EQ(content(open_one.node), "Content");
  const auto attributes = file_system_->attributes(open_one.node);
  ASSERT_TRUE(attributes.ok());
  EXPECT_EQ(attributes->nlink, 0U);
}

TEST_F(OverlayTest, ForgetsNodesAndFindsThemAgainByHandle) {
  const NodeId node = at("d/g").node;
  file_system_->forget(node, 1);
  EXPECT_TRUE(file_system_->attributes(node).failed_with(ESTALE));
  const auto again = file_system_->lookup(node, ".");
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->node, node);
  EXPECT_EQ(content(node), "of d");
  file_system_->forget(node, 1);
  ASSERT_TRUE(file_system_->unlink(at("d").node, "g").ok());
  EXPECT_TRUE(file_system_->lookup(node, ".").failed_with(ESTALE));
}

TEST_F(OverlayTest, ChangesAttributesWithoutTheData) {
  if (test::user_marks()) GTEST_SKIP() << "metacopies are trusted.*";
  SetAttributes change;
  change.mode = 0600;
  const auto changed = file_system_->set_attributes(at("f").node, change, test::never);
  ASSERT_TRUE(changed.ok());
  EXPECT_EQ(changed->mode & 07777U, 0600U);
  EXPECT_EQ(file_system_->counters().copy_up_bytes, 0U);
  EXPECT_EQ(content(at("f").node), "content");
  write(at("f").node, "C");
  EXPECT_EQ(place_.content("upper/f"), "Content");
}

TEST_F(OverlayTest, RefusesToWriteWithoutAnUpper) {
  open(false);
  EXPECT_TRUE(file_system_->read_only());
  EXPECT_TRUE(file_system_->unlink(root_node, "f").failed_with(EROFS));
  EXPECT_TRUE(file_system_->make_directory(root_node, "new", 0755, root_).failed_with(EROFS));
  EXPECT_TRUE(file_system_->file(at("f").node, Access::write, test::never).failed_with(EROFS));
  EXPECT_EQ(content(at("f").node), "content");
}

TEST_F(OverlayTest, KeepsWhiteoutsOfAnOverlayInsideAsFiles) {
  const auto expect_device = [&](const char* name) {
    const auto found = file_system_->lookup(root_node, name);
    ASSERT_TRUE(found.ok()) << name;
    EXPECT_TRUE(S_ISCHR(found->attributes.mode)) << name;
    EXPECT_EQ(found->attributes.rdev_major, 0U);
    const auto again = file_system_->attributes(found->node);
    ASSERT_TRUE(again.ok()) << name;
    EXPECT_EQ(again->mode, found->attributes.mode) << name;
    struct stat on_disk {};
    ASSERT_EQ(::lstat((place_.path("upper") + "/" + name).c_str(), &on_disk), 0) << name;
    EXPECT_TRUE(S_ISREG(on_disk.st_mode)) << name;
  };
  const auto made = file_system_->make_node(root_node, "w", S_IFCHR | 0644, 0, 0, root_);
  ASSERT_TRUE(made.ok());
  EXPECT_TRUE(S_ISCHR(made->attributes.mode));
  expect_device("w");
  ASSERT_TRUE(
      file_system_->rename(root_node, "f", root_node, "moved", RenameMode::leave_device, test::never, nullptr).ok());
  expect_device("f");
  EXPECT_EQ(content(at("moved").node), "content");
  open(true);
  expect_device("w");
  expect_device("f");
  const auto listed = file_system_->list(root_node);
  ASSERT_TRUE(listed.ok());
  for (const DirectoryEntry& each : **listed) {
    const bool device = each.name == "w" || each.name == "f";
    EXPECT_EQ(each.type == S_IFCHR, device) << each.name;
  }
}

TEST_F(OverlayTest, SyncsByTheDescriptorThatWrote) {
  const NodeId node = at("f").node;
  const auto sync = [&] { EXPECT_TRUE(file_system_->sync(node, false).ok()); };
  EXPECT_EQ(calls_of(sync), 0U);  // there is nothing of it in the upper
  SetAttributes change;
  change.mode = 0600;
  ASSERT_TRUE(file_system_->set_attributes(node, change, test::never).ok());
  EXPECT_GT(calls_of(sync), 1U);  // no data was written: it is opened
  write(node, "C");
  EXPECT_EQ(calls_of(sync), 1U);
}

TEST_F(OverlayTest, KeepsOverlayMarksToItself) {
  write(at("f").node, "C");
  const auto listed = file_system_->xattr_names(at("f").node);
  ASSERT_TRUE(listed.ok());
  EXPECT_EQ(listed->find("overlay."), std::string::npos);
}

}  // namespace
}  // namespace lamina::overlay
