// Layers as containers-storage leaves them: `.wh.NAME` and `.wh..wh..opq`.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "overlay/file_system.h"
#include "test/overlay/sample_tree.h"
#include "test/support/calls.h"

namespace lamina::overlay {
namespace {

class WhiteoutFilesTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!test::is_root()) GTEST_SKIP() << "a whiteout in the upper is a device node";
    for (const char* name : {"top", "middle", "bottom", "upper", "work"}) place_.directory(name);
  }

  void open(bool obeyed = true, bool writable = true) {
    file_system_.reset();
    Options options;
    for (const char* layer : {"top", "middle", "bottom"}) options.lowers.push_back({place_.path(layer), "", obeyed});
    if (writable) {
      options.upper = place_.path("upper");
      options.work = place_.path("work");
    }
    options.whiteout_files = obeyed;
    std::string explanation;
    auto opened = FileSystem::open(options, explanation);
    ASSERT_TRUE(opened.ok()) << explanation;
    file_system_ = std::move(*opened);
  }
  void file(const std::string& path, const std::string& content = "") {
    std::filesystem::create_directories(std::filesystem::path(place_.path(path)).parent_path());
    place_.file(path, content);
  }
  NodeId at(const std::string& path) {
    NodeId node = root_node;
    for (std::size_t start = 0; start < path.size();) {
      const std::size_t slash = std::min(path.find('/', start), path.size());
      const auto found = file_system_->lookup(node, path.substr(start, slash - start));
      if (!found.ok()) return 0;
      node = found->node;
      start = slash + 1;
    }
    return node;
  }
  std::string names(const std::string& directory) {
    std::vector<std::string> found;
    const auto listed = file_system_->list(at(directory));
    EXPECT_TRUE(listed.ok()) << directory;
    if (!listed.ok()) return "";
    for (const DirectoryEntry& each : **listed) found.push_back(each.name);
    std::sort(found.begin(), found.end());
    std::string text;
    for (const std::string& name : found) text += name + ' ';
    return text;
  }
  // What is listed is found, and nothing else is.
  void expect_names(const std::string& directory, const std::string& wanted,
                    const std::vector<std::string>& hidden = {}) {
    EXPECT_EQ(names(directory), wanted);
    const std::string prefix = directory.empty() ? "" : directory + "/";
    for (std::size_t start = 0; start < wanted.size(); start = wanted.find(' ', start) + 1) {
      EXPECT_NE(at(prefix + wanted.substr(start, wanted.find(' ', start) - start)), 0U) << wanted;
    }
    for (const std::string& each : hidden) EXPECT_EQ(at(prefix + each), 0U) << each;
  }

  test::TemporaryDirectory place_;
  std::unique_ptr<FileSystem> file_system_;
  const Caller root_{0, 0, 1, 022};
};

TEST_F(WhiteoutFilesTest, HideFilesAndDirectoriesOfLayersBelow) {
  file("bottom/gone", "1");
  file("bottom/kept", "1");
  place_.directory("bottom/d/below");
  file("middle/.wh.gone");
  file("middle/.wh.d");
  file("middle/.wh.never-there");
  for (const bool writable : {false, true}) {
    open(true, writable);
    expect_names("", "kept ", {"gone", "d", "never-there"});
  }
}

TEST_F(WhiteoutFilesTest, ShowWhatALayerAboveMakesAnew) {
  place_.directory("bottom/d/old");
  file("middle/.wh.d");
  place_.directory("top/d/new");
  open();
  expect_names("", "d ");
  expect_names("d", "new ", {"old"});
}

TEST_F(WhiteoutFilesTest, MakeADirectoryOpaque) {
  file("bottom/d/old", "1");
  file("bottom/d/both", "below");
  file("middle/d/.wh..wh..opq");
  file("middle/d/both", "above");
  file("top/d/more", "1");
  open();
  expect_names("d", "both more ", {"old"});
}

TEST_F(WhiteoutFilesTest, MakeTheRootOpaque) {
  file("bottom/old", "1");
  file("middle/.wh..wh..opq");
  file("middle/new", "1");
  open();
  expect_names("", "new ", {"old"});
}

// As fuse-overlayfs has it.
TEST_F(WhiteoutFilesTest, HideTheNameInTheirOwnLayerToo) {
  file("middle/.wh.f");
  file("middle/f", "1");
  place_.directory("middle/d");
  file("middle/.wh.d");
  open();
  expect_names("", "", {"f", "d"});
}

TEST_F(WhiteoutFilesTest, AreNeverSeen) {
  place_.directory("top/.wh..wh.plnk/below");
  file("top/.wh..wh.aufs");
  file("top/.wh.");
  file("top/.wh..");
  file("top/.wh...");
  file("top/.whole", "1");
  open();
  expect_names("", ".whole ");
  for (const char* name : {".wh..wh.plnk", ".wh.", ".wh.x", ".wh..wh..opq"}) {
    EXPECT_TRUE(file_system_->lookup(root_node, name).failed_with(ENOENT)) << name;
  }
}

TEST_F(WhiteoutFilesTest, CannotBeMade) {
  open();
  EXPECT_TRUE(file_system_->make_node(root_node, ".wh.x", S_IFREG | 0644, 0, 0, root_).failed_with(EINVAL));
  EXPECT_TRUE(file_system_->make_directory(root_node, ".wh.x", 0755, root_).failed_with(EINVAL));
  EXPECT_TRUE(file_system_->make_symlink(root_node, ".wh.x", "t", root_).failed_with(EINVAL));
  ASSERT_TRUE(file_system_->make_node(root_node, "f", S_IFREG | 0644, 0, 0, root_).ok());
  EXPECT_TRUE(file_system_->link(at("f"), root_node, ".wh.x", test::never).failed_with(EINVAL));
  EXPECT_TRUE(
      file_system_->rename(root_node, "f", root_node, ".wh.x", RenameMode::replace, test::never).failed_with(EINVAL));
  expect_names("", "f ");
}

TEST_F(WhiteoutFilesTest, GiveWayToWhatIsMadeOverThem) {
  place_.directory("bottom/d/old");
  file("bottom/f", "old");
  file("top/.wh.d");
  file("top/.wh.f");
  open();
  ASSERT_TRUE(file_system_->make_directory(root_node, "d", 0755, root_).ok());
  ASSERT_TRUE(file_system_->make_node(root_node, "f", S_IFREG | 0644, 0, 0, root_).ok());
  expect_names("d", "");
  open();
  expect_names("", "d f ");
  expect_names("d", "", {"old"});
  ASSERT_TRUE(file_system_->unlink(root_node, "f").ok());
  ASSERT_TRUE(file_system_->remove_directory(root_node, "d").ok());
  open();
  expect_names("", "", {"d", "f"});
}

TEST_F(WhiteoutFilesTest, LeaveADirectoryEmpty) {
  file("bottom/d/f", "old");
  file("top/d/.wh.f");
  open();
  expect_names("d", "", {"f"});
  ASSERT_TRUE(file_system_->rename(root_node, "d", root_node, "e", RenameMode::replace, test::never).ok());
  expect_names("e", "", {"f"});
  ASSERT_TRUE(file_system_->remove_directory(root_node, "e").ok());
  open();
  expect_names("", "");
}

// An upper that fuse-overlayfs has written.
TEST_F(WhiteoutFilesTest, AreObeyedInTheUpper) {
  file("bottom/gone", "1");
  place_.directory("bottom/d/old");
  place_.directory("bottom/o/old");
  file("upper/.wh.gone");
  file("upper/.wh.d");
  place_.directory("upper/d/hidden");
  file("upper/o/.wh..wh..opq");
  file("upper/o/new", "1");
  open();
  expect_names("", "o ", {"gone", "d"});
  expect_names("o", "new ", {"old"});
  ASSERT_TRUE(file_system_->make_directory(root_node, "d", 0755, root_).ok());
  ASSERT_TRUE(file_system_->make_node(root_node, "gone", S_IFREG | 0644, 0, 0, root_).ok());
  ASSERT_TRUE(file_system_->rename(root_node, "o", root_node, "moved", RenameMode::replace, test::never).ok());
  for (const bool again : {false, true}) {
    if (again) open();
    expect_names("", "d gone moved ", {"o"});
    expect_names("d", "", {"old", "hidden"});
    expect_names("moved", "new ", {"old"});
  }
  ASSERT_TRUE(file_system_->unlink(at("moved"), "new").ok());
  ASSERT_TRUE(file_system_->remove_directory(root_node, "moved").ok());
  expect_names("", "d gone ");
}

TEST_F(WhiteoutFilesTest, AreFilesWhereTheyAreNotObeyed) {
  file("bottom/f", "1");
  file("top/.wh.f", "2");
  open(false);
  expect_names("", ".wh.f f ");
  EXPECT_TRUE(file_system_->make_node(root_node, ".wh.x", S_IFREG | 0644, 0, 0, root_).ok());
  expect_names("", ".wh.f .wh.x f ");
}

TEST_F(WhiteoutFilesTest, AreNotLookedForWhereThereAreNone) {
  file("upper/without/x");
  file("upper/with/.wh.y");
  open();
  const NodeId without = at("without"), with = at("with");
  const auto calls_to_miss = [&](NodeId directory) {
    const auto miss = [&] { EXPECT_TRUE(file_system_->lookup(directory, "absent").failed_with(ENOENT)); };
    miss();  // opens the directory
    return test::calls_of(miss);
  };
  EXPECT_EQ(calls_to_miss(without), 2U);  // the name, and the file that would hide it
  EXPECT_EQ(names("without"), "x ");
  EXPECT_EQ(calls_to_miss(without), 1U);
  EXPECT_EQ(names("with"), "");
  EXPECT_EQ(calls_to_miss(with), 2U);
  const auto made = file_system_->make_directory(root_node, "made", 0755, {0, 0, 1, 022}, nullptr);
  ASSERT_TRUE(made.ok());
  EXPECT_EQ(calls_to_miss(made->node), 1U);
}

}  // namespace
}  // namespace lamina::overlay
