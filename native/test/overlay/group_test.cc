// Hard-link groups of lowers with indexes, below directories that a layer or the upper has redirected.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "overlay/file_system.h"
#include "test/overlay/sample_tree.h"

namespace lamina::overlay {
namespace {

class GroupTest : public testing::Test {
 protected:
  void SetUp() override {
    if (test::user_marks()) GTEST_SKIP() << "redirects are trusted.*";
    for (const char* name : {"layers", "upper", "work"}) place_.directory(name);
  }

  // The layers from the top, each with its index.
  void open(const std::vector<std::string>& layers) {
    file_system_.reset();
    Options options;
    for (const std::string& each : layers) {
      place_.directory("layers/" + each);
      test::write_index(place_.path("layers/" + each), place_.path(each + ".index"));
      options.lowers.push_back({place_.path("layers/" + each), place_.path(each + ".index")});
    }
    options.upper = place_.path("upper");
    options.work = place_.path("work");
    std::string explanation;
    auto opened = FileSystem::open(options, explanation);
    ASSERT_TRUE(opened.ok()) << explanation;
    file_system_ = std::move(*opened);
  }
  void file(const std::string& path, const std::string& content = "") {
    std::filesystem::create_directories(std::filesystem::path(place_.path(path)).parent_path());
    place_.file(path, content);
  }
  void link(const std::string& from, const std::string& to) {
    ASSERT_EQ(::link(place_.path(from).c_str(), place_.path(to).c_str()), 0) << from;
  }
  void redirect(const std::string& directory, const std::string& to) {
    place_.directory(directory);
    test::set_attribute(place_.path(directory), test::mark_prefix() + "redirect", to);
  }
  void whiteout(const std::string& path) {
    std::filesystem::create_directories(std::filesystem::path(place_.path(path)).parent_path());
    ASSERT_EQ(::mknod(place_.path(path).c_str(), S_IFCHR, 0), 0);
  }
  Entry at(const std::string& path) {
    Entry entry;
    entry.node = root_node;
    for (std::size_t start = 0; start < path.size();) {
      const std::size_t slash = std::min(path.find('/', start), path.size());
      const auto found = file_system_->lookup(entry.node, path.substr(start, slash - start));
      EXPECT_TRUE(found.ok()) << path;
      if (!found.ok()) return {};
      entry = *found;
      start = slash + 1;
    }
    return entry;
  }
  void write(const std::string& path, const std::string& text) {
    const auto file = file_system_->file(at(path).node, Access::write, test::never);
    ASSERT_TRUE(file.ok()) << path;
    ASSERT_EQ(::pwrite((*file)->descriptor(), text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
  }
  std::string content(const std::string& path) {
    const auto file = file_system_->file(at(path).node, Access::read, test::never);
    EXPECT_TRUE(file.ok()) << path;
    char text[64] = {};
    const ssize_t size = file.ok() ? ::pread((*file)->descriptor(), text, sizeof text, 0) : 0;
    return {text, static_cast<std::size_t>(std::max<ssize_t>(size, 0))};
  }
  void expect_one_file(const std::vector<std::string>& paths) {
    for (const std::string& path : paths) {
      EXPECT_EQ(at(path).attributes.nlink, paths.size()) << path;
      EXPECT_EQ(at(path).attributes.ino, at(paths.front()).attributes.ino) << path;
    }
  }
  // Written by the first name, looked at without having known the others, and after a remount.
  void expect_one_file_to_stay(const std::vector<std::string>& layers, const std::vector<std::string>& paths) {
    for (const std::string& writer : paths) {
      file_system_.reset();
      std::filesystem::remove_all(place_.path("upper"));
      place_.directory("upper");
      open(layers);
      expect_one_file(paths);
      open(layers);
      write(writer, writer);
      open(layers);
      expect_one_file(paths);
      for (const std::string& path : paths) EXPECT_EQ(content(path), writer) << path;
    }
  }

  test::TemporaryDirectory place_;
  std::unique_ptr<FileSystem> file_system_;
};

TEST_F(GroupTest, BelowARedirectOfALayer) {
  file("layers/low/d/x", "0");
  link("layers/low/d/x", "layers/low/lx");
  redirect("layers/top/r", "/d");
  whiteout("layers/top/d");
  expect_one_file_to_stay({"top", "low"}, {"r/x", "lx"});
}

TEST_F(GroupTest, BelowRedirectsOfSeveralLayers) {
  file("layers/low/a/b/c/x", "0");
  place_.directory("layers/low/e");
  link("layers/low/a/b/c/x", "layers/low/e/y");
  // a/b becomes m, then m/c becomes m/k by a relative mark, then m becomes a/deep/m.
  redirect("layers/one/m", "/a/b");
  place_.directory("layers/one/a");
  whiteout("layers/one/a/b");
  redirect("layers/two/m/k", "c");
  whiteout("layers/two/m/c");
  redirect("layers/three/a/deep/m", "/m");
  whiteout("layers/three/m");
  redirect("layers/three/f", "/e");
  whiteout("layers/three/e");
  expect_one_file_to_stay({"three", "two", "one", "low"}, {"a/deep/m/k/x", "f/y"});
}

TEST_F(GroupTest, AnotherDirectoryInThePlaceOfTheRedirectedOne) {
  file("layers/low/d/x", "0");
  link("layers/low/d/x", "layers/low/lx");
  redirect("layers/top/r", "/d");
  place_.directory("layers/top/d");
  test::set_attribute(place_.path("layers/top/d"), test::mark_prefix() + "opaque", "y");
  file("layers/top/d/x", "other");
  expect_one_file_to_stay({"top", "low"}, {"r/x", "lx"});
  EXPECT_EQ(content("d/x"), "other");
}

TEST_F(GroupTest, DirectoriesThatHaveChangedPlaces) {
  file("layers/low/a/x", "0");
  place_.directory("layers/low/b");
  link("layers/low/a/x", "layers/low/b/x");
  redirect("layers/top/a", "/b");
  redirect("layers/top/b", "/a");
  expect_one_file_to_stay({"top", "low"}, {"a/x", "b/x"});
}

// The layer came below an upper that had renamed the directory before.
TEST_F(GroupTest, BelowARedirectOfTheUpper) {
  place_.directory("layers/low/d");
  open({"low"});
  ASSERT_TRUE(file_system_->rename(root_node, "d", root_node, "r", RenameMode::replace, test::never).ok());
  file("layers/delta/d/x", "0");
  place_.directory("layers/delta/e");
  link("layers/delta/d/x", "layers/delta/e/lx");
  const std::vector<std::string> layers{"delta", "low"};
  open(layers);
  expect_one_file({"e/lx", "r/x"});
  write("e/lx", "1");
  open(layers);
  expect_one_file({"e/lx", "r/x"});
  EXPECT_EQ(content("r/x"), "1");
}

TEST_F(GroupTest, BelowADirectoryThatMovesWhileTheRedirectsAreKnown) {
  place_.directory("layers/low/d");
  open({"low"});
  ASSERT_TRUE(file_system_->rename(root_node, "d", root_node, "r", RenameMode::replace, test::never).ok());
  file("layers/delta/d/s/x", "0");
  file("layers/delta/other/y", "0");
  place_.directory("layers/delta/e");
  link("layers/delta/d/s/x", "layers/delta/e/lx");
  link("layers/delta/other/y", "layers/delta/e/ly");
  whiteout("layers/delta/e/gone");
  const std::vector<std::string> layers{"delta", "low"};
  open(layers);
  expect_one_file({"r/s/x", "e/lx"});
  ASSERT_TRUE(file_system_->make_directory(root_node, "new", 0755, {}).ok());
  ASSERT_TRUE(file_system_->rename(root_node, "r", at("new").node, "q", RenameMode::replace, test::never).ok());
  expect_one_file({"new/q/s/x", "e/lx"});
  ASSERT_TRUE(file_system_->rename(root_node, "other", root_node, "e", RenameMode::exchange, test::never).ok());
  expect_one_file({"new/q/s/x", "other/lx"});
  expect_one_file({"e/y", "other/ly"});
  write("other/lx", "1");
  write("e/y", "2");
  open(layers);
  EXPECT_EQ(content("new/q/s/x"), "1");
  EXPECT_EQ(content("other/ly"), "2");
}

TEST_F(GroupTest, RemovedNamesDoNotCount) {
  file("layers/low/d/x", "0");
  link("layers/low/d/x", "layers/low/lx");
  link("layers/low/d/x", "layers/low/d/z");
  redirect("layers/top/r", "/d");
  whiteout("layers/top/d");
  whiteout("layers/top/r/z");
  expect_one_file_to_stay({"top", "low"}, {"r/x", "lx"});
  ASSERT_TRUE(file_system_->unlink(root_node, "lx").ok());
  expect_one_file({"r/x"});
}

TEST_F(GroupTest, AllNamesOfAFileAreKnown) {
  file("layers/low/d/x", "0");
  link("layers/low/d/x", "layers/low/lx");
  redirect("layers/top/r", "/d");
  whiteout("layers/top/d");
  file("upper/u", "0");
  link("upper/u", "upper/v");
  open({"top", "low"});
  const auto is = [](const char* wanted) { return [wanted](std::string_view path) { return path == wanted; }; };
  for (const bool written : {false, true}) {
    for (const char* name : {"lx", "r/x"}) {
      EXPECT_TRUE(*file_system_->any_name(at("lx").node, is(name))) << name;
      EXPECT_TRUE(*file_system_->any_name(at("r/x").node, is(name))) << name;
    }
    EXPECT_FALSE(*file_system_->any_name(at("lx").node, is("d/x")));
    EXPECT_TRUE(*file_system_->any_name(at("u").node, is("v")));
    EXPECT_FALSE(*file_system_->any_name(at("u").node, is("lx")));
    if (!written) write("lx", "1");
  }
  EXPECT_TRUE(*file_system_->any_below(root_node, "r", is("x")));
  EXPECT_FALSE(*file_system_->any_below(root_node, "r", is("y")));
  EXPECT_FALSE(*file_system_->any_below(root_node, "lx", [](std::string_view) { return true; }));
}

}  // namespace
}  // namespace lamina::overlay
