// Owners, modes and types in attributes beside the files of a layer.
#include "overlay/layers/stored_owner.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <random>

#include "overlay/file_system.h"
#include "test/overlay/sample_tree.h"

namespace lamina::overlay {
namespace {

TEST(StoredOwner, IsWrittenAndRead) {
  EXPECT_EQ(encode(StoredOwner{5, 65534, 04755}), "5:65534:4755");
  EXPECT_EQ(decode_stored_owner("5:65534:4755"), (StoredOwner{5, 65534, 04755}));
  // fuse-overlayfs adds the type to the mode, and newer versions a word; it writes -1 for an id that was not given.
  EXPECT_EQ(decode_stored_owner("0:0:100644"), (StoredOwner{0, 0, 0644}));
  EXPECT_EQ(decode_stored_owner("0:0:644:char-5-1"), (StoredOwner{0, 0, 0644, S_IFCHR, 5, 1}));
  EXPECT_EQ(decode_stored_owner("0:6:0660:block-8-16"), (StoredOwner{0, 6, 0660, S_IFBLK, 8, 16}));
  EXPECT_EQ(decode_stored_owner("0:6:0660:pipe"), (StoredOwner{0, 6, 0660, S_IFIFO}));
  EXPECT_EQ(decode_stored_owner("0:6:0660:socket"), (StoredOwner{0, 6, 0660, S_IFSOCK}));
  for (const char* own : {"0:0:755:file", "0:0:755:dir", "0:0:755:symlink", "0:0:755:new-word-3"}) {
    EXPECT_EQ(decode_stored_owner(own), (StoredOwner{0, 0, 0755})) << own;
  }
  EXPECT_EQ(decode_stored_owner("5:-1:644"), (StoredOwner{5, 0xFFFFFFFFU, 0644}));
  for (const char* other :
       {"", "5", "5:6", "5:6:", "5:6:8", "5:6:9x", "x:6:7", "5::7", ":5:6:7", "5:6:7x", "-2:0:7", "4294967296:0:7",
        "5:6:7:char", "5:6:7:char-1", "5:6:7:block-x-1", "5:6:7:char-4096-1", "5:6:7:char-1-1048576"}) {
    EXPECT_FALSE(decode_stored_owner(other).has_value()) << other;
  }
  std::mt19937 random(7);  // NOLINT(cert-msc51-cpp): repeatable
  for (int round = 0; round < 1000; ++round) {
    const StoredOwner owner{static_cast<std::uint32_t>(random()), static_cast<std::uint32_t>(random()),
                            static_cast<std::uint32_t>(random() & 07777U)};
    ASSERT_EQ(decode_stored_owner(encode(owner)), owner);
  }
}

// A layer that was unpacked where nobody can make devices.
class StandInsTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!test::is_root()) GTEST_SKIP() << "devices take root";
    for (const char* name : {"lower", "upper", "work"}) place_.directory(name);
    store("lower", "0:0:0755:dir");
    for (const auto& [file, value] : {std::pair("lower/null", "0:5:0666:char-1-3"),
                                      {"lower/pipe", "7:8:0600:pipe"},
                                      {"lower/f", "3:4:0640:file"}}) {
      place_.file(file, "");
      store(file, value);
    }
    Options options;
    options.lowers = {{place_.path("lower"), "", true}};
    options.upper = place_.path("upper");
    options.work = place_.path("work");
    options.whiteout_files = true;
    std::string explanation;
    auto opened = FileSystem::open(options, explanation);
    ASSERT_TRUE(opened.ok()) << explanation;
    file_system_ = std::move(*opened);
  }
  void store(const char* path, const char* value) {
    test::set_attribute(place_.path(path), std::string(stored_owner_name(StoredOwners::containers)), value);
  }
  Entry find(const char* name) {
    const auto found = file_system_->lookup(root_node, name);
    EXPECT_TRUE(found.ok()) << name;
    return found.ok() ? *found : Entry();
  }

  test::TemporaryDirectory place_;
  std::unique_ptr<FileSystem> file_system_;
};

TEST_F(StandInsTest, AreShownAndListedAsWhatTheyStandFor) {
  const Attributes device = find("null").attributes;
  EXPECT_EQ(device.mode, S_IFCHR | 0666U);
  EXPECT_EQ(device.gid, 5U);
  EXPECT_EQ(std::pair(device.rdev_major, device.rdev_minor), std::pair(1U, 3U));
  EXPECT_EQ(find("pipe").attributes.mode, S_IFIFO | 0600U);
  EXPECT_EQ(find("f").attributes.mode, S_IFREG | 0640U);
  const auto listed = file_system_->list(root_node);
  ASSERT_TRUE(listed.ok());
  for (const DirectoryEntry& each : **listed) {
    const std::uint32_t type = each.name == "null" ? S_IFCHR : each.name == "pipe" ? S_IFIFO : S_IFREG;
    if (each.type != S_IFDIR) {
      EXPECT_EQ(each.type, type) << each.name;
    }
  }
}

TEST_F(StandInsTest, AreCopiedUpAsDevices) {
  SetAttributes mode;
  mode.mode = S_IFCHR | 0600U;
  ASSERT_TRUE(file_system_->set_attributes(find("null").node, mode, [] { return false; }).ok());
  struct stat status {};
  ASSERT_EQ(::lstat(place_.path("upper/null").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode, S_IFCHR | 0600U);
  EXPECT_EQ(status.st_rdev, makedev(1, 3));
}

}  // namespace
}  // namespace lamina::overlay
