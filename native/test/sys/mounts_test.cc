#include "sys/mounts.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

namespace lamina::sys {
namespace {

TEST(ParseMounts, TakesALineApart) {
  const auto mounts = parse_mounts(
      "36 35 0:45 / /mnt/with\\040space rw,noatime master:1 - fuse.laminafs la\\134mina rw,user_id=0\n"
      "37 35 98:0 /mnt1/sub /mnt2 rw - ext3 /dev/root rw,errors=continue\n");
  ASSERT_EQ(mounts.size(), 2U);
  EXPECT_EQ(mounts[0].device, makedev(0, 45));
  EXPECT_EQ(mounts[0].root, "/");
  EXPECT_EQ(mounts[0].mountpoint, "/mnt/with space");
  EXPECT_EQ(mounts[0].type, "fuse.laminafs");
  EXPECT_EQ(mounts[0].source, "la\\mina");
  EXPECT_EQ(mounts[1].root, "/mnt1/sub");
  EXPECT_EQ(mounts[1].device, makedev(98, 0));
}

TEST(ParseMounts, LeavesOutWhatItDoesNotUnderstand) {
  EXPECT_TRUE(parse_mounts("").empty());
  EXPECT_TRUE(parse_mounts("1 2 3\n\n36 35 zero:45 / /mnt rw - fuse x rw\n36 35 0:45 / /mnt rw -\n").empty());
  EXPECT_EQ(parse_mounts("36 35 0:45 / /end\\04 rw - fuse x rw").front().mountpoint, "/end\\04");
}

TEST(MountsOf, ShowTheRootOfThisProcess) {
  const auto mounts = mounts_of("self");
  ASSERT_TRUE(mounts.ok());
  bool root = false;
  for (const MountEntry& each : *mounts) root = root || each.mountpoint == "/";
  EXPECT_TRUE(root);
  EXPECT_FALSE(mounts_of("0").ok());
}

TEST(DeviceAt, IsTheFileSystemsNumber) {
  struct stat status {};
  ASSERT_EQ(::stat("/proc", &status), 0);
  const auto device = device_at("/proc");
  ASSERT_TRUE(device.ok());
  EXPECT_EQ(*device, status.st_dev);
}

TEST(Mounts, SayWhetherTheyAreIdmapped) {
  const std::string table =
      "25 1 8:1 / / rw,relatime shared:1 - ext4 /dev/root rw\n"
      "125 25 8:1 /layers /mapped/0 ro,nosuid,relatime,idmapped shared:2 - ext4 /dev/root rw\n"
      "126 25 8:1 /idmapped /idmapped rw - ext4 idmapped rw,idmapped\n"
      "x\n";
  EXPECT_TRUE(lists_idmapped(table, 125));
  EXPECT_FALSE(lists_idmapped(table, 25));
  EXPECT_FALSE(lists_idmapped(table, 126));
  EXPECT_FALSE(lists_idmapped(table, 12));
  const auto root = is_idmapped("/");
  EXPECT_TRUE(root.ok() && !*root);
  EXPECT_TRUE(is_idmapped("/nowhere").failed_with(ENOENT));
}

}  // namespace
}  // namespace lamina::sys
