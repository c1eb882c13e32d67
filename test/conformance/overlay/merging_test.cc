// Directories that several layers hold.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <map>

#include "support/layers.h"

namespace conformance {
namespace {

using OverlayMerging = Overlay;

LAYERS(OverlayMerging, AListingIsTheUnion) {
  make_directory(bottom / "d");
  make_directory(top / "d");
  for (const char* name : {"both", "low"}) make_file(bottom / "d" / name, "bottom");
  for (const char* name : {"both", "high"}) make_file(top / "d" / name, "top");
}
TEST_F(OverlayMerging, AListingIsTheUnion) {
  make_file(here / "d/upper", "upper");
  EXPECT_EQ(names(here / "d"), (std::vector<std::string>{"both", "high", "low", "upper"}));
  EXPECT_EQ(contents(here / "d/both"), "top");
  EXPECT_EQ(contents(here / "d/low"), "bottom");
}

// On layers whose file system counts subdirectories, as ext4, XFS and tmpfs do.
LAYERS(OverlayMerging, OnlyDirectoriesOfOneLayerCountTheirSubdirectories) {
  for (const char* name : {"low", "low/a", "low/b", "d", "d/a"}) make_directory(bottom / name);
  make_directory(top / "d");
  make_directory(top / "d/b");
}
TEST_F(OverlayMerging, OnlyDirectoriesOfOneLayerCountTheirSubdirectories) {
  EXPECT_EQ(status(here / "low").st_nlink, 4U);
  EXPECT_EQ(status(here / "d").st_nlink, 1U);
  make_directory(here / "new");
  make_directory(here / "new/a");
  EXPECT_EQ(status(here / "new").st_nlink, 3U);
  EXPECT_OK(::rename(here / "new/a", here / "a"));
  EXPECT_EQ(status(here / "new").st_nlink, 2U);
}

LAYERS(OverlayMerging, TheTopmostAttributesHold) {
  make_directory(bottom / "d", 0700);
  make_directory(top / "d", 0755);
  set_xattr(bottom / "d", "user.bottom", "v");
  set_xattr(top / "d", "user.top", "v");
  require(::chown(top / "d", 5, 6) == 0, "chown");
}
TEST_F(OverlayMerging, TheTopmostAttributesHold) {
  EXPECT_EQ(status(here / "d").st_mode & 07777, 0755U);
  EXPECT_EQ(status(here / "d").st_uid, 5U);
  EXPECT_EQ(xattr(here / "d", "user.top"), "v");
  const auto all = xattr_names(here / "d");
  EXPECT_EQ(std::count(all.begin(), all.end(), "user.bottom"), 0);
}

LAYERS(OverlayMerging, OfLargeDirectoriesGivesEachNameOnce) {
  for (const Path& layer : {top, bottom}) make_directory(layer / "d");
  for (int number = 0; number < 3000; ++number) {
    if (number % 3 != 0) make_file(bottom / "d" / std::to_string(number));
    if (number % 3 != 1) make_file(top / "d" / std::to_string(number));
  }
}
TEST_F(OverlayMerging, OfLargeDirectoriesGivesEachNameOnce) {
  std::map<std::string, int> seen;
  const Stream stream = open_stream(here / "d");
  while (const dirent* entry = ::readdir(stream.get())) ++seen[entry->d_name];
  EXPECT_EQ(seen.size(), 3002U);
  for (const auto& [name, times] : seen) ASSERT_EQ(times, 1) << name;
}

LAYERS(OverlayMerging, ListedInodesAreTheRealOnes) {
  for (const Path& layer : {top, bottom}) make_directory(layer / "d");
  make_file(bottom / "d/low");
  make_file(top / "d/high");
  make_directory(bottom / "d/sub");
  make_directory(top / "d/sub");
}
TEST_F(OverlayMerging, ListedInodesAreTheRealOnes) {
  make_file(here / "d/upper");
  ASSERT_OK(::chmod(here / "d/low", 0600));
  const Stream stream = open_stream(here / "d");
  int seen = 0;
  while (const dirent* entry = ::readdir(stream.get())) {
    EXPECT_EQ(entry->d_ino, inode(here / "d" / entry->d_name)) << entry->d_name;
    ++seen;
  }
  EXPECT_EQ(seen, 6);
}

LAYERS(OverlayMerging, InodesAreUniqueAcrossLayers) {
  for (int number = 0; number < 50; ++number) {
    make_file(bottom / ("b" + std::to_string(number)));
    make_file(top / ("t" + std::to_string(number)));
  }
}
TEST_F(OverlayMerging, InodesAreUniqueAcrossLayers) {
  for (int number = 0; number < 50; ++number) make_file(here / ("u" + std::to_string(number)));
  std::map<std::pair<dev_t, ino_t>, std::string> seen;
  for (const std::string& name : names(here)) {
    const struct stat found = status(here / name);
    const auto [other, fresh] = seen.emplace(std::pair{found.st_dev, found.st_ino}, name);
    EXPECT_TRUE(fresh) << name << " and " << other->second;
    EXPECT_EQ(found.st_dev, status(here).st_dev) << name;
  }
}

LAYERS(OverlayMerging, PositionsHoldWhileEntriesComeAndGo) {
  for (const Path& layer : {top, bottom}) make_directory(layer / "d");
  for (int number = 0; number < 100; ++number)
    make_file((number % 2 == 0 ? top : bottom) / "d" / std::to_string(number));
}
TEST_F(OverlayMerging, PositionsHoldWhileEntriesComeAndGo) {
  const Stream stream = open_stream(here / "d");
  std::map<std::string, int> seen;
  for (int round = 0; round < 40; ++round) {
    const dirent* entry = ::readdir(stream.get());
    ASSERT_NE(entry, nullptr);
    ++seen[entry->d_name];
  }
  for (int number = 0; number < 20; ++number) make_file(here / ("d/new" + std::to_string(number)));
  ASSERT_OK(::chmod(here / "d/50", 0600));
  while (const dirent* entry = ::readdir(stream.get())) ++seen[entry->d_name];
  for (int number = 0; number < 100; ++number) EXPECT_EQ(seen[std::to_string(number)], 1) << number;
}

LAYERS(OverlayMerging, EmptyingWhileListing) {
  for (const Path& layer : {top, bottom}) make_directory(layer / "d");
  for (int number = 0; number < 1000; ++number)
    make_file((number % 2 == 0 ? top : bottom) / "d" / std::to_string(number));
}
TEST_F(OverlayMerging, EmptyingWhileListing) {
  const Stream stream = open_stream(here / "d");
  int removed = 0;
  while (const dirent* entry = ::readdir(stream.get())) {
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    ASSERT_OK(::unlink(here / "d" / name));
    ++removed;
  }
  EXPECT_EQ(removed, 1000);
  EXPECT_OK(::rmdir(here / "d"));
}

LAYERS(OverlayMerging, NewEntriesInheritFromALowerDirectory) {
  make_directory(bottom / "setgid", 02777);
  require(::chown(bottom / "setgid", 0, 2000) == 0, "chown");
}
TEST_F(OverlayMerging, NewEntriesInheritFromALowerDirectory) {
  EXPECT_OK(as(alice, [&]() -> long { return ::mkdir(here / "setgid/d", 0755); }));
  EXPECT_EQ(status(here / "setgid/d").st_gid, 2000U);
  EXPECT_EQ(status(here / "setgid/d").st_mode & 07777, 02755U);
  EXPECT_EQ(status(here / "setgid").st_mode & 07777, 02777U);
}

LAYERS(OverlayMerging, DeepPathsOfTheBottom) {
  Path at = bottom;
  for (int level = 0; level < 40; ++level) {
    at = at / "level";
    make_directory(at);
  }
  make_file(at / "f", "deep");
}
TEST_F(OverlayMerging, DeepPathsOfTheBottom) {
  Path at = here;
  for (int level = 0; level < 40; ++level) at = at / "level";
  EXPECT_EQ(contents(at / "f"), "deep");
  overwrite(at / "f", "DEEP");
  drop_caches();
  EXPECT_EQ(contents(at / "f"), "DEEP");
  make_file(at / "g");
  EXPECT_EQ(names(at).size(), 2U);
}

Path fifteen_long_names(Path at) {
  for (int level = 0; level < 15; ++level) at = at / std::string(240, 'n');
  return at;
}

LAYERS(OverlayMerging, PathsAlmostAsLongAsTheyCanBe) {
  Path at = bottom;
  for (int level = 0; level < 15; ++level) {
    at = at / std::string(240, 'n');
    make_directory(at);
  }
  make_file(at / "f", "deep");
  make_directory(at / "d");
  make_file(at / "d/inner", "inner");
}
TEST_F(OverlayMerging, PathsAlmostAsLongAsTheyCanBe) {
  const Path at = fifteen_long_names(here);
  overwrite(at / "f", "DEEP");
  ASSERT_OK(::rename(at / "d", at / "e"));
  ASSERT_OK(::rename(at / "e/inner", here / "outer"));
  drop_caches();
  EXPECT_EQ(contents(at / "f"), "DEEP");
  EXPECT_EQ(names(at), (std::vector<std::string>{"e", "f"}));
  EXPECT_TRUE(names(at / "e").empty());
  EXPECT_EQ(contents(here / "outer"), "inner");
}

// But for the time of access: making an index reads the files.
LAYERS(OverlayMerging, TimesAreThoseOfTheLower) {
  make_file(bottom / "f", "x");
  const timespec times[2] = {{1'000'000'000, 123'456'789}, {1'100'000'000, 987'654'321}};
  require(::utimensat(AT_FDCWD, bottom / "f", times, 0) == 0, "utimensat");
}
TEST_F(OverlayMerging, TimesAreThoseOfTheLower) {
  const auto extended = [](const Path& path) {
    struct statx found {};
    require(::statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_ALL, &found) == 0, "statx " + path.text());
    return found;
  };
  const struct statx lower = extended(bottom / "f"), seen = extended(here / "f");
  const auto same = [](const statx_timestamp& a, const statx_timestamp& b) {
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
  };
  EXPECT_TRUE(same(seen.stx_mtime, lower.stx_mtime));
  EXPECT_TRUE(same(seen.stx_ctime, lower.stx_ctime));
  EXPECT_EQ(seen.stx_mask & STATX_BTIME, lower.stx_mask & STATX_BTIME);
  EXPECT_TRUE(same(seen.stx_btime, lower.stx_btime));
}

LAYERS(OverlayMerging, DirectoryTimesFollowNewEntries) {
  make_directory(bottom / "d");
  const timespec times[2] = {{1'000'000'000, 0}, {1'000'000'000, 0}};
  require(::utimensat(AT_FDCWD, bottom / "d", times, 0) == 0, "utimensat");
}
TEST_F(OverlayMerging, DirectoryTimesFollowNewEntries) {
  EXPECT_EQ(status(here / "d").st_mtim.tv_sec, 1'000'000'000);
  make_file(here / "d/f");
  EXPECT_GT(status(here / "d").st_mtim.tv_sec, 1'000'000'000);
}

LAYERS(OverlayMerging, AChangedLowerDirectoryKeepsItsEntries) {
  make_directory(bottom / "d", 0700);
  make_file(bottom / "d/f", "x");
  make_directory(bottom / "d/sub");
}
TEST_F(OverlayMerging, AChangedLowerDirectoryKeepsItsEntries) {
  ASSERT_OK(::chmod(here / "d", 0755));
  ASSERT_OK(::chown(here / "d", 5, 6));
  set_xattr(here / "d", "user.k", "v");
  EXPECT_EQ(names(here / "d"), (std::vector<std::string>{"f", "sub"}));
  EXPECT_EQ(contents(here / "d/f"), "x");
  EXPECT_EQ(status(here / "d").st_mode & 07777, 0755U);
}

}  // namespace
}  // namespace conformance
