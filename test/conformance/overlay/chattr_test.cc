// The flags of chattr(1) on what a lower holds: setting them copies up.
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/layers.h"

namespace conformance {
namespace {

class OverlayChattr : public Overlay {
 protected:
  static Outcome change(const Path& path, unsigned add, unsigned take) {
    const FileDescriptor file = opened(path, O_RDONLY);
    unsigned flags = 0;
    if (::ioctl(file.get(), FS_IOC_GETFLAGS, &flags) != 0) return outcome(-1);
    flags = (flags & ~take) | add;
    return outcome(::ioctl(file.get(), FS_IOC_SETFLAGS, &flags));
  }
};

LAYERS(OverlayChattr, AFileOfALowerBecomesImmutable) { make_file(bottom / "f", "content", 0640); }
TEST_F(OverlayChattr, AFileOfALowerBecomesImmutable) {
  const auto before = status(here / "f");
  ASSERT_OK(change(here / "f", FS_IMMUTABLE_FL, 0));
  EXPECT_ERRNO(EPERM, ::unlink(here / "f"));
  EXPECT_ERRNO(EPERM, ::chmod(here / "f", 0600));
  EXPECT_EQ(status(here / "f").st_ino, before.st_ino);
  EXPECT_EQ(status(here / "f").st_mode, before.st_mode);
  EXPECT_EQ(contents(here / "f"), "content");
  ASSERT_OK(change(here / "f", 0, FS_IMMUTABLE_FL));
  EXPECT_OK(::unlink(here / "f"));
}

LAYERS(OverlayChattr, ADirectoryOfLowersBecomesImmutable) {
  make_directory(bottom / "d");
  make_file(bottom / "d/low");
  make_directory(top / "d");
  make_file(top / "d/high");
}
TEST_F(OverlayChattr, ADirectoryOfLowersBecomesImmutable) {
  ASSERT_OK(change(here / "d", FS_IMMUTABLE_FL, 0));
  EXPECT_ERRNO(EPERM, ::unlink(here / "d/low"));
  EXPECT_ERRNO(EPERM, ::mkdir(here / "d/new", 0700));
  EXPECT_EQ(names(here / "d"), (std::vector<std::string>{"high", "low"}));
  ASSERT_OK(change(here / "d", 0, FS_IMMUTABLE_FL));
  EXPECT_OK(::unlink(here / "d/low"));
}

LAYERS(OverlayChattr, TheFlagIsNoneOfTheRealFile) { make_file(bottom / "f", "content"); }
TEST_F(OverlayChattr, TheFlagIsNoneOfTheRealFile) {
  ASSERT_OK(change(here / "f", FS_APPEND_FL, 0));
  EXPECT_TRUE(xattr_names(here / "f").empty()) << "the mark is not for users";
  ASSERT_OK(change(here / "f", 0, FS_APPEND_FL));
}

}  // namespace
}  // namespace conformance
