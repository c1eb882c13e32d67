#include "daemon/owner_options.h"

#include <gtest/gtest.h>

#include "daemon/options.h"

namespace lamina::daemon {
namespace {

using overlay::IdRange;

std::vector<IdRange> ranges(std::string_view text) {
  std::string error;
  auto found = parse_id_ranges(text, error);
  EXPECT_EQ(error, "") << text;
  return found;
}

TEST(IdRanges, AreReadAsFuseOverlayfsReadsThem) {
  const std::vector<IdRange> keep_id = {{0, 1, 1001}, {1001, 0, 1}};
  EXPECT_EQ(ranges(""), std::vector<IdRange>());
  EXPECT_EQ(ranges("0:1:1001:1001:0:1"), keep_id);
  EXPECT_EQ(ranges(":0:1:1001:1001:0:1"), keep_id);  // containers-storage
  EXPECT_EQ(ranges("::0:1:1001::1001:0:1:"), keep_id);
  EXPECT_EQ(ranges("0:0:4294967295"), (std::vector<IdRange>{{0, 0, 4294967295U}}));
}

TEST(IdRanges, AreRefusedWhereMalformed) {
  for (const char* text : {"0", "0:1", "0:1:2:3", "a:1:2", "0:1:-1", "-1:0:1", "0:1:2x", "0x1:1:1", "0: 1:2",
                           "4294967296:0:1", "0:1:0", "1:0:4294967295", "0:4294967295:1", "4294967294:0:2"}) {
    std::string error;
    EXPECT_TRUE(parse_id_ranges(text, error).empty()) << text;
    EXPECT_NE(error, "") << text;
  }
}

class OwnerOptionsTest : public testing::Test {
 protected:
  overlay::Options parse(const std::string& list) {
    error_.clear();
    return parse_arguments({"-o", "lowerdir=/a,upperdir=/b,workdir=/c," + list, "/m"}, error_).overlay;
  }
  std::string error_;
};

TEST_F(OwnerOptionsTest, SquashUidAndGidBeforeRoot) {
  EXPECT_FALSE(parse("volatile").owners.any());
  for (const char* list : {"squash_to_root,squash_to_uid=5", "squash_to_uid=5,squash_to_root"}) {
    const auto owners = parse(list).owners;
    EXPECT_EQ(error_, "");
    EXPECT_EQ(owners.every_uid, 5U);
    EXPECT_EQ(owners.every_gid, 0U);
  }
  EXPECT_EQ(parse("squash_to_gid=7").owners.every_uid, std::nullopt);
}

TEST_F(OwnerOptionsTest, TakeTheLastMapping) {
  const auto owners = parse("uidmapping=:0:9:1,uidmapping=:0:100000:5000,gidmapping=").owners;
  EXPECT_EQ(error_, "");
  EXPECT_EQ(owners.uids.to_mount(1), 100001U);
  EXPECT_TRUE(owners.gids.empty());
}

TEST_F(OwnerOptionsTest, TakeRangesAfterCommas) {
  const auto owners = parse("uidmapping=0:1000:1,1:110000:65536,,gidmapping=0:5:1,:7:9:1:3:4:5,volatile").owners;
  EXPECT_EQ(error_, "");
  EXPECT_EQ(owners.uids.ranges(), (std::vector<IdRange>{{0, 1000, 1}, {1, 110000, 65536}}));
  EXPECT_EQ(owners.gids.ranges(), (std::vector<IdRange>{{0, 5, 1}, {7, 9, 1}, {3, 4, 5}}));
  parse("uidmapping=0:1000:1,1:110000");
  EXPECT_NE(error_.find("option uidmapping=0:1000:1:1:110000: 5 numbers"), std::string::npos) << error_;
  const DaemonOptions others = parse_arguments({"-o", "uidmapping=0:1:1,ro,1:2:3,lowerdir=/a", "/m"}, error_ = "");
  EXPECT_EQ(others.overlay.owners.uids.ranges().size(), 1U);
  EXPECT_EQ(others.warnings.size(), 1U);
}

TEST_F(OwnerOptionsTest, SayWhatIsWrong) {
  for (const char* list :
       {"uidmapping=1:2", "gidmapping=x", "squash_to_uid=", "squash_to_uid=-1", "squash_to_gid=4294967295",
        "squash_to_root=1", "xattr_permissions=3", "xattr_permissions="}) {
    parse(list);
    EXPECT_NE(error_.find(std::string("option ") + list), std::string::npos) << list << ": " << error_;
  }
  parse("xattr_permissions=2,lowerindex=/i");
  EXPECT_NE(error_.find("lowerindex"), std::string::npos);
  EXPECT_EQ(parse("xattr_permissions=1").stored_owners, overlay::StoredOwners::privileged);
  EXPECT_EQ(parse("xattr_permissions=0").stored_owners, overlay::StoredOwners::in_inode);
  EXPECT_EQ(error_, "");
}

}  // namespace
}  // namespace lamina::daemon
