// File capabilities of a lower: they go with the content, not with a copy-up.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "support/layers.h"

namespace conformance {
namespace {

using OverlayCapabilities = Overlay;

constexpr const char* attribute = "security.capability";

void make_capable(const Path& path) {
  make_file(path, pattern(300'000), 0755);
  set_xattr(path, attribute, a_capability());
}

void expect_capable(const Path& path, const char* when) { EXPECT_EQ(xattr(path, attribute), a_capability()) << when; }

LAYERS(OverlayCapabilities, StayThroughChangesOfAttributes) { make_capable(bottom / "f"); }
TEST_F(OverlayCapabilities, StayThroughChangesOfAttributes) {
  ASSERT_OK(::chmod(here / "f", 0750));
  expect_capable(here / "f", "chmod");
  ASSERT_OK(::utimensat(AT_FDCWD, here / "f", nullptr, 0));
  expect_capable(here / "f", "utimensat");
  set_xattr(here / "f", "trusted.k", "x");
  expect_capable(here / "f", "setxattr");
}

LAYERS(OverlayCapabilities, StayWhereAFileIsOpenedForWritingOnly) { make_capable(bottom / "f"); }
TEST_F(OverlayCapabilities, StayWhereAFileIsOpenedForWritingOnly) {
  ASSERT_OK(::chmod(here / "f", 0750));
  {
    const FileDescriptor file = opened(here / "f", O_RDWR);
    EXPECT_TRUE(contents(file.get()) == pattern(300'000));
  }
  expect_capable(here / "f", "open for writing");
}

LAYERS(OverlayCapabilities, StayThroughLinksAndRenames) {
  make_directory(bottom / "d");
  make_capable(bottom / "d/f");
  make_directory(bottom / "d/e");
  make_capable(bottom / "d/e/g");
}
TEST_F(OverlayCapabilities, StayThroughLinksAndRenames) {
  ASSERT_OK(::chmod(here / "d/f", 0750));  // without its data, where the driver does so
  ASSERT_OK(::link(here / "d/f", here / "linked"));
  expect_capable(here / "linked", "link");
  expect_capable(here / "d/f", "link");
  ASSERT_OK(::chmod(here / "d/e/g", 0750));
  ASSERT_OK(::rename(here / "d/e/g", here / "d/e/h"));
  expect_capable(here / "d/e/h", "rename");
  if (::rename(here / "d", here / "moved") != 0) {
    EXPECT_EQ(errno, EXDEV);  // a driver may leave that to the caller
    return;
  }
  expect_capable(here / "moved/f", "rename of the directory");
  expect_capable(here / "moved/e/h", "rename of the directory");
  EXPECT_TRUE(contents(here / "moved/e/h") == pattern(300'000));
}

LAYERS(OverlayCapabilities, GoWithTheContentAndTheOwner) {
  for (const char* name : {"written", "truncated", "owned"}) make_capable(bottom / name);
}
TEST_F(OverlayCapabilities, GoWithTheContentAndTheOwner) {
  overwrite(here / "written", "x");
  ASSERT_OK(::truncate(here / "truncated", 10));
  ASSERT_OK(::chown(here / "owned", 1, 1));
  for (const char* name : {"written", "truncated", "owned"}) {
    EXPECT_ERRNO(ENODATA, ::getxattr(here / name, attribute, nullptr, 0)) << name;
  }
}

}  // namespace
}  // namespace conformance
