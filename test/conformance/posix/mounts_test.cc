// Other mounts on and of the file system. Each test has a mount namespace of its own.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/scratch.h"

namespace conformance {
namespace {

using Mounts = Scratch;

// Runs the action where mounting has no effect outside.
Outcome in_own_namespace(const Action& action) {
  return in_child([&]() -> long {
    if (::unshare(CLONE_NEWNS) != 0) return -1;
    if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return -1;
    return action();
  });
}

long expect_that(bool condition) {
  errno = EBADMSG;
  return condition ? 0 : -1;
}

TEST_F(Mounts, SomethingElseInside) {
  make_directory(here / "d");
  make_file(here / "d/below");
  EXPECT_OK(in_own_namespace([&]() -> long {
    if (::mount("tmpfs", here / "d", "tmpfs", 0, nullptr) != 0) return -1;
    make_file(here / "d/above", "x");
    if (status(here / "d").st_dev == status(here).st_dev || exists(here / "d/below")) return expect_that(false);
    return ::umount2(here / "d", 0);
  }));
  EXPECT_EQ(names(here / "d"), std::vector<std::string>{"below"});
}

TEST_F(Mounts, AMountPointIsBusy) {
  make_directory(here / "d");
  EXPECT_OK(in_own_namespace([&]() -> long {
    if (::mount("tmpfs", here / "d", "tmpfs", 0, nullptr) != 0) return -1;
    if (::rmdir(here / "d") == 0 || errno != EBUSY) return -1;
    if (::rename(here / "d", here / "e") == 0 || errno != EBUSY) return -1;
    if (::umount2(here / "d", 0) != 0) return -1;
    return ::rename(here / "d", here / "e");
  }));
}

TEST_F(Mounts, BindsOfDirectoriesAndFiles) {
  make_directory(here / "from");
  make_directory(here / "to");
  make_file(here / "from/f", "x");
  make_file(here / "file");
  EXPECT_OK(in_own_namespace([&]() -> long {
    if (::mount(here / "from", here / "to", nullptr, MS_BIND, nullptr) != 0) return -1;
    if (::mount(here / "from/f", here / "file", nullptr, MS_BIND, nullptr) != 0) return -1;
    overwrite(here / "to/f", "through the bind");
    if (contents(here / "file") != "through the bind") return expect_that(false);
    if (::link(here / "from/f", here / "to/g") == 0 || errno != EXDEV) return -1;
    return expect_that(inode(here / "from/f") == inode(here / "file"));
  }));
}

TEST_F(Mounts, AReadOnlyBindRefusesWrites) {
  make_file(here / "f", "x");
  EXPECT_OK(in_own_namespace([&]() -> long {
    if (::mount(here, here, nullptr, MS_BIND, nullptr) != 0) return -1;
    if (::mount(nullptr, here, nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY, nullptr) != 0) return -1;
    if (::open(here / "f", O_WRONLY) >= 0 || errno != EROFS) return -1;
    if (::mkdir(here / "d", 0755) == 0 || errno != EROFS) return -1;
    if (::chmod(here / "f", 0600) == 0 || errno != EROFS) return -1;
    return expect_that(contents(here / "f") == "x");
  }));
}

TEST_F(Mounts, AnOverlayOverIt) {
  make_directory(here / "lower");
  make_file(here / "lower/f", "lower");
  make_directory(here / "merged");
  EXPECT_OK(in_own_namespace([&]() -> long {
    // The upper must be elsewhere: not every file system can be one.
    if (::mount("tmpfs", "/mnt", "tmpfs", 0, nullptr) != 0) return -1;
    make_directory(Path("/mnt/u"));
    make_directory(Path("/mnt/w"));
    const std::string options = "lowerdir=" + (here / "lower").text() + ",upperdir=/mnt/u,workdir=/mnt/w";
    if (::mount("overlay", here / "merged", "overlay", 0, options.c_str()) != 0) return -1;
    if (contents(here / "merged/f") != "lower") return expect_that(false);
    overwrite(here / "merged/f", "UPPER");
    if (contents(here / "merged/f") != "UPPER" || contents(here / "lower/f") != "lower") return expect_that(false);
    return ::umount2(here / "merged", 0);
  }));
}

TEST_F(Mounts, ARootToPivotTo) {
  make_directory(here / "old");
  make_file(here / "marker");
  EXPECT_OK(in_own_namespace([&]() -> long {
    if (::mount(here, here, nullptr, MS_BIND | MS_REC, nullptr) != 0 || ::chdir(here) != 0) return -1;
    if (::chroot(".") != 0) return -1;
    return expect_that(exists(Path("/marker")) && names(Path("/")).size() == 2);
  }));
}

}  // namespace
}  // namespace conformance
