// File handles of what a lower holds: the same object before and after its copy-up, and after the caches were dropped.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/handle.h"
#include "support/layers.h"

namespace conformance {
namespace {

class OverlayHandles : public Overlay {
 protected:
  void SetUp() override {
    Overlay::SetUp();
    mount = opened(settings().mount, O_RDONLY | O_DIRECTORY);
  }
  FileDescriptor mount;
};

LAYERS(OverlayHandles, OpenALowerFileAfterCachesWereDropped) {
  make_directory(bottom / "d");
  make_file(bottom / "d/f", "content");
}
TEST_F(OverlayHandles, OpenALowerFileAfterCachesWereDropped) {
  Handle of_file = handle_of(here / "d/f"), of_directory = handle_of(here / "d");
  const ino_t number = inode(here / "d/f");
  drop_caches();
  const FileDescriptor file = open_handle(mount.get(), of_file, O_RDONLY);
  ASSERT_TRUE(file.valid()) << error_text(errno);
  EXPECT_EQ(contents(file.get()), "content");
  EXPECT_EQ(status(file.get()).st_ino, number);
  drop_caches();
  const FileDescriptor directory = open_handle(mount.get(), of_directory, O_RDONLY | O_DIRECTORY);
  ASSERT_TRUE(directory.valid()) << error_text(errno);
  EXPECT_OK(::faccessat(directory.get(), "f", F_OK, 0));
}

LAYERS(OverlayHandles, OutliveTheCopyUp) { make_file(bottom / "f", "content"); }
TEST_F(OverlayHandles, OutliveTheCopyUp) {
  Handle handle = handle_of(here / "f");
  overwrite(here / "f", "CON");
  EXPECT_EQ(handle_of(here / "f").text(), handle.text());
  const FileDescriptor cached = open_handle(mount.get(), handle, O_RDWR);
  ASSERT_TRUE(cached.valid()) << error_text(errno);
  EXPECT_EQ(contents(cached.get()), "CONtent");
}

LAYERS(OverlayHandles, OutliveTheCopyUpAndDroppedCaches) { make_file(bottom / "f", "content"); }
TEST_F(OverlayHandles, OutliveTheCopyUpAndDroppedCaches) {
  Handle handle = handle_of(here / "f");
  overwrite(here / "f", "CON");
  ::sync();
  drop_caches();
  const FileDescriptor file = open_handle(mount.get(), handle, O_RDWR);
  ASSERT_TRUE(file.valid()) << error_text(errno);
  EXPECT_EQ(contents(file.get()), "CONtent");
  EXPECT_EQ(status(file.get()).st_ino, inode(here / "f"));
}

LAYERS(OverlayHandles, OutliveTheNameThatTheyWereGotBy) {
  make_file(bottom / "f", "content");
  make_link(bottom / "f", bottom / "g");
}
TEST_F(OverlayHandles, OutliveTheNameThatTheyWereGotBy) {
  Handle handle = handle_of(here / "f");
  ASSERT_OK(::unlink(here / "f"));
  ::sync();
  drop_caches();
  const FileDescriptor file = open_handle(mount.get(), handle, O_RDONLY);
  ASSERT_TRUE(file.valid()) << error_text(errno);
  EXPECT_EQ(contents(file.get()), "content");
}

LAYERS(OverlayHandles, OfARemovedLowerFileAreStale) { make_file(bottom / "f", "content"); }
TEST_F(OverlayHandles, OfARemovedLowerFileAreStale) {
  Handle handle = handle_of(here / "f");
  ASSERT_OK(::unlink(here / "f"));
  make_file(here / "f", "another");
  // That nobody has it any more, a file system may learn a little later.
  Outcome found;
  for (int round = 0; round < 100 && found.error != ESTALE; ++round) {
    drop_caches();
    found = outcome(open_handle(mount.get(), handle, O_RDONLY).valid() ? 0 : -1);
  }
  EXPECT_ERRNO(ESTALE, found);
}

}  // namespace
}  // namespace conformance
