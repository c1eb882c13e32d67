#include "overlay/layers/protection.h"

#include <gtest/gtest.h>

namespace lamina::overlay {
namespace {

TEST(Protection, IsWrittenAsTheKernelDoes) {
  EXPECT_EQ(encode(Protection{true, true}), "ai");
  EXPECT_EQ(encode(Protection{true, false}), "i");
  EXPECT_EQ(encode(Protection{}), "");
  for (const Protection each :
       {Protection{true, true}, Protection{true, false}, Protection{false, true}, Protection{}}) {
    EXPECT_EQ(decode_protection(encode(each)), each);
  }
  EXPECT_EQ(decode_protection("xi"), (Protection{true, false}));
}

TEST(Protection, LeavesOnlyWhatItMust) {
  const Protection immutable{true, false}, append_only{false, true};
  SetAttributes mode, touch, times, size, kill;
  mode.mode = 0644;
  touch.mtime = SetAttributes::Time{true, {}};
  times.mtime = SetAttributes::Time{false, {1, 0}};
  size.size = 0;
  kill.kill_suidgid = true;
  for (const SetAttributes& each : {mode, touch, times, size}) {
    EXPECT_FALSE(allows(immutable, each));
    EXPECT_TRUE(allows(Protection{}, each));
  }
  for (const SetAttributes& each : {mode, times, size}) EXPECT_FALSE(allows(append_only, each));
  EXPECT_TRUE(allows(append_only, touch));
  EXPECT_TRUE(allows(append_only, kill));
}

}  // namespace
}  // namespace lamina::overlay
