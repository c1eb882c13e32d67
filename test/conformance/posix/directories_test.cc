// Making and removing directories, and working in them.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/scratch.h"

namespace conformance {
namespace {

using Directories = Scratch;

TEST_F(Directories, AreMadeEmpty) {
  EXPECT_OK(::mkdir(here / "d", 0751));
  const struct stat found = status(here / "d");
  EXPECT_TRUE(S_ISDIR(found.st_mode));
  EXPECT_EQ(found.st_mode & 07777, 0751U);
  EXPECT_TRUE(names(here / "d").empty());
}

TEST_F(Directories, CountTheirSubdirectoriesOrSayThatTheyDoNot) {
  // Programs that walk trees (find, fts) take a link count of 1 as "unknown", else as 2 and one a subdirectory.
  make_directory(here / "d");
  for (const char* name : {"a", "b", "c"}) make_directory(here / "d" / name);
  make_file(here / "d/f");
  const nlink_t links = status(here / "d").st_nlink;
  EXPECT_TRUE(links == 1 || links == 5) << links;
}

TEST_F(Directories, RefuseANameThatExists) {
  make_file(here / "f");
  make_symlink(here / "l", "nowhere");
  make_directory(here / "d");
  for (const char* name : {"f", "l", "d"}) EXPECT_ERRNO(EEXIST, ::mkdir(here / name, 0755));
}

TEST_F(Directories, AreRemovedWhenEmpty) {
  make_directory(here / "d");
  make_file(here / "d/f");
  EXPECT_ERRNO(ENOTEMPTY, ::rmdir(here / "d"));
  EXPECT_OK(::unlink(here / "d/f"));
  EXPECT_OK(::rmdir(here / "d"));
  EXPECT_FALSE(exists(here / "d"));
  EXPECT_ERRNO(ENOENT, ::rmdir(here / "d"));
}

TEST_F(Directories, RmdirRefusesFiles) {
  make_file(here / "f");
  make_symlink(here / "l", "f");
  EXPECT_ERRNO(ENOTDIR, ::rmdir(here / "f"));
  EXPECT_ERRNO(ENOTDIR, ::rmdir(here / "l"));
}

TEST_F(Directories, MadeAgainAreEmptyAndNew) {
  make_directory(here / "d", 0700);
  make_file(here / "d/f");
  set_xattr(here / "d", "user.k", "v");
  EXPECT_OK(::unlink(here / "d/f"));
  EXPECT_OK(::rmdir(here / "d"));
  make_directory(here / "d", 0755);
  EXPECT_TRUE(names(here / "d").empty());
  EXPECT_FALSE(exists(here / "d/f"));
  EXPECT_EQ(status(here / "d").st_mode & 07777, 0755U);
  EXPECT_TRUE(xattr_names(here / "d").empty() ||
              xattr_names(here / "d") == std::vector<std::string>{"security.selinux"});
}

TEST_F(Directories, AFileMayTakeTheirNameAndBack) {
  for (int round = 0; round < 3; ++round) {
    make_directory(here / "n");
    EXPECT_OK(::rmdir(here / "n"));
    make_file(here / "n", "x");
    EXPECT_EQ(contents(here / "n"), "x");
    EXPECT_OK(::unlink(here / "n"));
    make_symlink(here / "n", "t");
    EXPECT_EQ(link_target(here / "n"), "t");
    EXPECT_OK(::unlink(here / "n"));
  }
}

TEST_F(Directories, ARemovedWorkingDirectoryIsEmptyAndNowhere) {
  EXPECT_OK(in_child([&]() -> long {
    make_directory(here / "d");
    if (::chdir(here / "d") != 0 || ::rmdir(here / "d") != 0) return -1;
    char buffer[4096];
    if (::getcwd(buffer, sizeof buffer) != nullptr || errno != ENOENT) return -1;
    if (::open("f", O_CREAT | O_WRONLY, 0644) >= 0 || errno != ENOENT) return -1;
    if (!names(Path(".")).empty()) return -1;
    struct stat found {};
    return ::stat(".", &found);
  }));
}

TEST_F(Directories, ARemovedOneThatIsOpenListsNothing) {
  make_directory(here / "d");
  const FileDescriptor directory = opened(here / "d", O_RDONLY | O_DIRECTORY);
  EXPECT_OK(::rmdir(here / "d"));
  EXPECT_EQ(status(directory.get()).st_nlink, 0U);
  EXPECT_TRUE(names(Path("/proc/self/fd/" + std::to_string(directory.get()))).empty());
}

TEST_F(Directories, TimesFollowTheirEntries) {
  struct stat was = status(here);
  const auto changed = [&](const char* what) {
    const struct stat is = status(here);
    EXPECT_TRUE(before(was.st_mtim, is.st_mtim)) << what;
    EXPECT_TRUE(before(was.st_ctim, is.st_ctim)) << what;
    was = is;
    let_time_pass();
  };
  let_time_pass();
  make_file(here / "f");
  changed("creating a file");
  make_directory(here / "d");
  changed("making a directory");
  make_link(here / "f", here / "g");
  changed("linking");
  EXPECT_OK(::rename(here / "g", here / "h"));
  changed("renaming");
  EXPECT_OK(::unlink(here / "h"));
  changed("unlinking");
  EXPECT_OK(::rmdir(here / "d"));
  changed("removing a directory");
}

TEST_F(Directories, TimesDoNotFollowContent) {
  make_file(here / "f");
  make_directory(here / "d");
  const struct stat was = status(here);
  let_time_pass();
  overwrite(here / "f", "x");
  make_file(here / "d/inner");
  EXPECT_OK(::chmod(here / "f", 0600));
  EXPECT_TRUE(same_time(was.st_mtim, status(here).st_mtim));
}

TEST_F(Directories, CanBeSynced) {
  make_file(here / "f");
  const FileDescriptor directory = opened(here, O_RDONLY | O_DIRECTORY);
  EXPECT_OK(::fsync(directory.get()));
  EXPECT_OK(::fdatasync(directory.get()));
  EXPECT_OK(::syncfs(directory.get()));
}

TEST_F(Directories, HoldOtherDescriptorsAttributes) {
  make_directory(here / "d");
  const FileDescriptor directory = opened(here / "d", O_RDONLY | O_DIRECTORY);
  EXPECT_OK(::fchmod(directory.get(), 0700));
  EXPECT_OK(::fchown(directory.get(), 3, 4));
  EXPECT_EQ(status(here / "d").st_mode & 07777, 0700U);
  EXPECT_EQ(status(here / "d").st_uid, 3U);
}

TEST_F(Directories, ManyAtOnceInOneParent) {
  const auto outcomes = at_once(4, [&](int number) -> long {
    for (int round = 0; round < 50; ++round) {
      make_directory(here / (std::to_string(number) + "-" + std::to_string(round)));
    }
    return 0;
  });
  for (const Outcome& result : outcomes) EXPECT_OK(result);
  EXPECT_EQ(names(here).size(), 200U);
}

TEST_F(Directories, MakingOneTogetherLeavesOne) {
  for (int round = 0; round < 20; ++round) {
    int made = 0;
    for (const Outcome& result : at_once(4, [&](int) -> long { return ::mkdir(here / std::to_string(round), 0755); })) {
      if (result.error == 0)
        ++made;
      else
        EXPECT_EQ(result.error, EEXIST);
    }
    EXPECT_EQ(made, 1);
  }
}

TEST_F(Directories, FillAndEmptyAgain) {
  make_directory(here / "d");
  for (int number = 0; number < 2000; ++number) make_file(here / "d" / std::to_string(number));
  EXPECT_EQ(names(here / "d").size(), 2000U);
  for (int number = 0; number < 2000; ++number) ASSERT_OK(::unlink(here / "d" / std::to_string(number)));
  EXPECT_OK(::rmdir(here / "d"));
}

}  // namespace
}  // namespace conformance
