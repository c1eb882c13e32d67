// File handles, as NFS servers and fanotify use them.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include "support/handle.h"
#include "support/scratch.h"

namespace conformance {
namespace {

class Handles : public Scratch {
 protected:
  void SetUp() override {
    Scratch::SetUp();
    mount = opened(settings().mount, O_RDONLY | O_DIRECTORY);
  }

  FileDescriptor open_handle(Handle& handle, int flags) const {
    return conformance::open_handle(mount.get(), handle, flags);
  }

  // That nobody has the file any more, a file system may learn a little later.
  void expect_stale(Handle& handle) const {
    Outcome found;
    for (int round = 0; round < 100 && found.error != ESTALE; ++round) {
      drop_caches();
      found = outcome(open_handle(handle, O_RDONLY).valid() ? 0 : -1);
    }
    EXPECT_ERRNO(ESTALE, found);
  }

  FileDescriptor mount;
};

TEST_F(Handles, OpenTheFile) {
  make_file(here / "f", "content");
  Handle handle = handle_of(here / "f");
  const FileDescriptor file = open_handle(handle, O_RDWR);
  ASSERT_TRUE(file.valid()) << error_text(errno);
  EXPECT_EQ(contents(file.get()), "content");
  EXPECT_EQ(status(file.get()).st_ino, inode(here / "f"));
}

TEST_F(Handles, OpenADirectory) {
  make_directory(here / "d");
  make_file(here / "d/f");
  Handle handle = handle_of(here / "d");
  const FileDescriptor directory = open_handle(handle, O_RDONLY | O_DIRECTORY);
  ASSERT_TRUE(directory.valid()) << error_text(errno);
  EXPECT_OK(::faccessat(directory.get(), "f", F_OK, 0));
  EXPECT_OK(::faccessat(directory.get(), "../d/f", F_OK, 0));
}

TEST_F(Handles, WorkAfterCachesWereDropped) {
  make_file(here / "f", "content");
  Handle handle = handle_of(here / "f");
  ::sync();
  drop_caches();
  const FileDescriptor file = open_handle(handle, O_RDONLY);
  ASSERT_TRUE(file.valid()) << error_text(errno);
  EXPECT_EQ(contents(file.get()), "content");
}

TEST_F(Handles, FollowRenames) {
  make_directory(here / "d");
  make_file(here / "f", "content");
  Handle handle = handle_of(here / "f");
  ASSERT_OK(::rename(here / "f", here / "d/g"));
  drop_caches();
  const FileDescriptor file = open_handle(handle, O_RDONLY);
  ASSERT_TRUE(file.valid()) << error_text(errno);
  EXPECT_EQ(contents(file.get()), "content");
}

TEST_F(Handles, AreStableAndDiffer) {
  make_file(here / "f");
  make_file(here / "g");
  Handle one = handle_of(here / "f"), again = handle_of(here / "f"), other = handle_of(here / "g");
  EXPECT_EQ(one.text(), again.text());
  EXPECT_NE(one.text(), other.text());
}

// The name by which a driver knew the file goes, and the file stays.
TEST_F(Handles, OutliveTheNameThatTheyWereGotBy) {
  make_file(here / "f", "content");
  make_directory(here / "d");
  ASSERT_OK(::link(here / "f", here / "d/g"));
  ::sync();
  drop_caches();
  Handle handle = handle_of(here / "f");
  ASSERT_OK(::unlink(here / "f"));
  ::sync();
  drop_caches();
  {
    const FileDescriptor file = open_handle(handle, O_RDWR);
    ASSERT_TRUE(file.valid()) << error_text(errno);
    EXPECT_EQ(contents(file.get()), "content");
    EXPECT_EQ(status(file.get()).st_nlink, 1U);
    EXPECT_EQ(status(file.get()).st_ino, inode(here / "d/g"));
    append(file.get(), "CON");
  }
  EXPECT_EQ(contents(here / "d/g"), "CONtent");
  ASSERT_OK(::unlink(here / "d/g"));
  ::sync();
  expect_stale(handle);
}

TEST_F(Handles, OfARemovedFileAreStale) {
  make_file(here / "f");
  Handle handle = handle_of(here / "f");
  ASSERT_OK(::unlink(here / "f"));
  ::sync();
  expect_stale(handle);
}

TEST_F(Handles, TellHowLongTheyAre) {
  make_file(here / "f");
  Handle handle;
  handle.get()->handle_bytes = 0;
  int mount_id = 0;
  EXPECT_ERRNO(EOVERFLOW, ::name_to_handle_at(AT_FDCWD, here / "f", handle.get(), &mount_id, 0));
  EXPECT_GT(handle.get()->handle_bytes, 0U);
}

}  // namespace
}  // namespace conformance
