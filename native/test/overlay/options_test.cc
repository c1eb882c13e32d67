// Options that change what is shown, and how reading in the upper goes.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "overlay/file_system.h"
#include "test/overlay/sample_tree.h"

namespace lamina::overlay {
namespace {

using test::TemporaryDirectory;

class OptionsTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"lower/merged", "upper/merged", "upper/d/below", "work"}) place_.directory(name);
    place_.file("upper/d/f", "content");
    ASSERT_EQ(::symlink("nowhere", place_.path("upper/d/l").c_str()), 0);
  }
  std::unique_ptr<FileSystem> open(const std::function<void(Options&)>& change) {
    Options options;
    options.lowers = {{place_.path("lower"), ""}};
    options.upper = place_.path("upper");
    options.work = place_.path("work");
    options.user_xattr = test::user_marks();
    change(options);
    std::string explanation;
    auto opened = FileSystem::open(options, explanation);
    EXPECT_TRUE(opened.ok()) << explanation;
    return std::move(*opened);
  }
  static NodeId node(FileSystem& file_system, std::initializer_list<const char*> path) {
    NodeId at = root_node;
    for (const char* name : path) {
      const auto found = file_system.lookup(at, name);
      EXPECT_TRUE(found.ok()) << name;
      if (found.ok()) at = found->node;
    }
    return at;
  }
  // So old that reading moves it, whatever the file system's own option (relatime).
  void make_old(const char* path) {
    const timespec times[2] = {{1000, 0}, {2000, 0}};
    ASSERT_EQ(::utimensat(AT_FDCWD, place_.path(path).c_str(), times, AT_SYMLINK_NOFOLLOW), 0);
  }
  time_t atime(const char* path) {
    struct stat status {};
    EXPECT_EQ(::lstat(place_.path(path).c_str(), &status), 0);
    return status.st_atim.tv_sec;
  }
  // Reads a file, a directory and a symlink of the upper.
  static void read_all(FileSystem& file_system) {
    const auto file = file_system.file(node(file_system, {"d", "f"}), Access::read, test::never);
    char byte = 0;
    ASSERT_TRUE(file.ok() && ::pread((*file)->descriptor(), &byte, 1, 0) == 1);
    ASSERT_TRUE(file_system.list(node(file_system, {"d"})).ok());
    ASSERT_TRUE(file_system.read_link(node(file_system, {"d", "l"})).ok());
  }
  TemporaryDirectory place_;
};

TEST_F(OptionsTest, ReadingChangesNoAccessTimeWhereNoneIsKept) {
  const auto file_system =
      open([](Options& options) { options.access_times = options.directory_access_times = false; });
  for (const char* each : {"upper/d", "upper/d/f", "upper/d/l"}) make_old(each);
  read_all(*file_system);
  EXPECT_EQ(atime("upper/d/f"), 1000);
  EXPECT_EQ(atime("upper/d"), 1000);
  if (::geteuid() == 0) {
    EXPECT_EQ(atime("upper/d/l"), 1000);
  }
}

TEST_F(OptionsTest, ReadingADirectoryChangesNoAccessTimeWhereOnlyFilesKeepIt) {
  const auto file_system = open([](Options& options) { options.directory_access_times = false; });
  for (const char* each : {"upper/d", "upper/d/f"}) make_old(each);
  read_all(*file_system);
  EXPECT_EQ(atime("upper/d"), 1000);
  EXPECT_GT(atime("upper/d/f"), 1000);
}

TEST_F(OptionsTest, EveryDirectoryShowsOneLinkWhereThatIsWanted) {
  const auto file_system = open([](Options& options) { options.static_nlink = true; });
  const auto looked_up = file_system->lookup(root_node, "d");
  ASSERT_TRUE(looked_up.ok());
  EXPECT_EQ(looked_up->attributes.nlink, 1U);
  EXPECT_EQ(file_system->attributes(looked_up->node)->nlink, 1U);
  EXPECT_EQ(file_system->attributes(node(*file_system, {"d", "f"}))->nlink, 1U);
}

TEST_F(OptionsTest, DirectoriesOfTheUpperShowTheirSubdirectories) {
  const auto file_system = open([](Options&) {});
  EXPECT_EQ(file_system->attributes(node(*file_system, {"d"}))->nlink, 3U);
}

}  // namespace
}  // namespace lamina::overlay
