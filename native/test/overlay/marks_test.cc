#include "overlay/layers/marks.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <map>

#include "sys/xattrs.h"
#include "test/support/temporary_directory.h"

namespace lamina::overlay {
namespace {

using XattrMap = std::map<std::string, std::string, std::less<>>;

Result<Marks> read(std::uint32_t mode, std::uint64_t size, const XattrMap& attributes, bool user = false) {
  sys::FileStatus status;
  status.mode = mode;
  status.size = size;
  status.rdev_major = 1;
  return read_marks(MarkNames(user), status, [&](std::string_view name) -> Result<std::vector<std::byte>> {
    const auto found = attributes.find(name);
    if (found == attributes.end()) return sys::Errno{ENODATA};
    const auto value = sys::as_value(found->second);
    return std::vector<std::byte>(value.begin(), value.end());
  });
}

TEST(MarkNames, HidesWhatFuseOverlayfsAndContainersStorageLeave) {
  const MarkNames names(false, ForeignMarks::obeyed);
  for (const char* name : {"user.fuseoverlayfs.opaque", "user.fuseoverlayfs.origin", "user.overlay.opaque",
                           "security.fuseoverlayfs.override_stat", "user.containers.override_stat"}) {
    EXPECT_TRUE(names.is_private(name)) << name;
    EXPECT_EQ(names.to_user(name), std::nullopt) << name;
    EXPECT_FALSE(MarkNames(false).is_reserved(name)) << name;
    EXPECT_EQ(MarkNames(false).to_user(name), name);
  }
  EXPECT_TRUE(names.is_reserved("user.fuseoverlayfs.opaque"));
  EXPECT_FALSE(names.is_reserved("user.overlay.opaque"));
  EXPECT_FALSE(names.is_reserved("user.containers.other"));
  // Of an overlay in the mount, by a user without privilege.
  EXPECT_EQ(names.to_disk("user.overlay.opaque"), "user.overlay.overlay.opaque");
  EXPECT_EQ(names.to_user("user.overlay.overlay.opaque"), "user.overlay.opaque");
  EXPECT_EQ(names.to_disk("trusted.overlay.opaque"), "trusted.overlay.overlay.opaque");
  EXPECT_EQ(MarkNames(true, ForeignMarks::obeyed).to_disk("trusted.overlay.opaque"), "trusted.overlay.opaque");
}

TEST(MarkNames, ReadsTheOpaqueMarksOfOtherDrivers) {
  const auto opaque = [](const MarkNames& names, const XattrMap& attributes) {
    sys::FileStatus status;
    status.mode = S_IFDIR;
    const auto marks = read_marks(names, status, [&](std::string_view name) -> Result<std::vector<std::byte>> {
      const auto found = attributes.find(name);
      if (found == attributes.end()) return sys::Errno{ENODATA};
      const auto value = sys::as_value(found->second);
      return std::vector<std::byte>(value.begin(), value.end());
    });
    return marks.ok() && marks->opaque;
  };
  for (const bool user : {false, true}) {
    const MarkNames all(user, ForeignMarks::obeyed), own(user);
    for (const char* name : {"user.fuseoverlayfs.opaque", "user.overlay.opaque"}) {
      EXPECT_TRUE(opaque(all, {{name, "y"}})) << name;
      EXPECT_FALSE(opaque(all, {{name, "n"}})) << name;
      EXPECT_TRUE(opaque(all, {{name, "y"}, {all.opaque, "n"}})) << name;
    }
    EXPECT_FALSE(opaque(own, {{"user.fuseoverlayfs.opaque", "y"}}));
    EXPECT_EQ(opaque(own, {{"user.overlay.opaque", "y"}}), user);
  }
}

TEST(MarkNames, HidesAndEscapesAsTheKernelDoes) {
  const MarkNames names(false);
  EXPECT_TRUE(names.is_private("trusted.overlay.opaque"));
  EXPECT_TRUE(names.is_private("trusted.overlay.anything"));
  EXPECT_FALSE(names.is_private("trusted.overlay.overlay.opaque"));
  EXPECT_FALSE(names.is_private("trusted.overlayopaque"));
  EXPECT_FALSE(names.is_private("user.overlay.opaque"));
  EXPECT_EQ(names.to_disk("trusted.overlay.opaque"), "trusted.overlay.overlay.opaque");
  EXPECT_EQ(names.to_disk("trusted.overlay.overlay.opaque"), "trusted.overlay.overlay.overlay.opaque");
  EXPECT_EQ(names.to_disk("user.overlay.opaque"), "user.overlay.opaque");
  EXPECT_EQ(names.to_user("trusted.overlay.overlay.opaque"), "trusted.overlay.opaque");
  EXPECT_EQ(names.to_user("trusted.overlay.overlay.overlay.opaque"), "trusted.overlay.overlay.opaque");
  EXPECT_EQ(names.to_user("trusted.overlay.opaque"), std::nullopt);
  EXPECT_EQ(names.to_user("security.capability"), "security.capability");
  for (const char* name : {"trusted.overlay.x", "trusted.overlay.overlay.x", "user.a", "trusted.overlay."}) {
    EXPECT_EQ(names.to_user(names.to_disk(name)), name);
  }
  EXPECT_TRUE(MarkNames(true).is_private("user.overlay.opaque"));
  EXPECT_FALSE(MarkNames(true).is_private("trusted.overlay.opaque"));
  EXPECT_EQ(MarkNames(true).lamina_ino, "user.overlay.lamina.ino");
}

TEST(ValidRedirect, TakesPathsFromTheRootAndSingleNames) {
  for (const char* good : {"/a", "/a/b/c", "b", "...", "/.x/y."}) EXPECT_TRUE(valid_redirect(good)) << good;
  for (const char* bad : {"", "/", "//", "/a/", "/a//b", "a/b", ".", "..", "/a/../b", "/..", "/./a", "a/"}) {
    EXPECT_FALSE(valid_redirect(bad)) << bad;
  }
}

TEST(ReadMarks, OfDirectories) {
  EXPECT_TRUE(read(S_IFDIR, 0, {{"trusted.overlay.opaque", "y"}})->opaque);
  EXPECT_FALSE(read(S_IFDIR, 0, {{"trusted.overlay.opaque", "x"}})->opaque);
  EXPECT_FALSE(read(S_IFDIR, 0, {{"trusted.overlay.opaque", "yes"}})->opaque);
  EXPECT_FALSE(read(S_IFDIR, 0, {{"user.overlay.opaque", "y"}})->opaque);
  EXPECT_TRUE(read(S_IFDIR, 0, {{"user.overlay.opaque", "y"}}, true)->opaque);
  EXPECT_EQ(read(S_IFDIR, 0, {{"trusted.overlay.redirect", "/old"}})->redirect, "/old");
  EXPECT_TRUE(read(S_IFDIR, 0, {{"trusted.overlay.redirect", "/old/../../etc"}}).failed_with(EIO));
  EXPECT_FALSE(read(S_IFDIR, 0, {{"trusted.overlay.metacopy", ""}})->metacopy);
}

TEST(ReadMarks, OfFiles) {
  EXPECT_TRUE(read(S_IFREG, 9, {{"trusted.overlay.metacopy", ""}})->metacopy);
  EXPECT_TRUE(read(S_IFREG, 9, {{"trusted.overlay.metacopy", std::string("\0\4\0\0", 4)}})->metacopy);
  EXPECT_TRUE(read(S_IFREG, 9, {{"trusted.overlay.metacopy", std::string("\0\5\0\0", 4)}}).failed_with(EIO));
  EXPECT_TRUE(read(S_IFREG, 9, {{"trusted.overlay.metacopy", std::string("\1\4\0\0", 4)}}).failed_with(EIO));
  EXPECT_TRUE(read(S_IFREG, 9, {{"trusted.overlay.metacopy", "abc"}}).failed_with(EIO));
  EXPECT_EQ(read(S_IFREG, 9, {{"trusted.overlay.redirect", "/old"}})->redirect, "") << "only with metacopy";
  EXPECT_FALSE(read(S_IFREG, 9, {{"trusted.overlay.opaque", "y"}})->opaque);
  EXPECT_TRUE(read(S_IFREG, 0, {{"trusted.overlay.whiteout", ""}})->whiteout);
  EXPECT_FALSE(read(S_IFREG, 1, {{"trusted.overlay.whiteout", ""}})->whiteout);
  EXPECT_FALSE(read(S_IFCHR, 0, {})->whiteout);
}

TEST(ReadMarks, PassesErrorsOn) {
  sys::FileStatus status;
  status.mode = S_IFDIR;
  const auto broken = [](std::string_view) -> Result<std::vector<std::byte>> { return sys::Errno{EIO}; };
  EXPECT_TRUE(read_marks(MarkNames(false), status, broken).failed_with(EIO));
}

TEST(ReadMarksAt, AsksTheFileSystem) {
  const test::TemporaryDirectory root;
  root.directory("directory");
  ASSERT_TRUE(sys::set_xattr(root.descriptor(), "directory", "user.overlay.opaque", sys::as_value("y")).ok());
  const auto status = sys::status_at(root.descriptor(), "directory");
  EXPECT_TRUE(read_marks_at(MarkNames(true), *status, root.descriptor(), "directory")->opaque);
  EXPECT_FALSE(read_marks_at(MarkNames(false), *status, root.descriptor(), "directory")->opaque);
}

}  // namespace
}  // namespace lamina::overlay
