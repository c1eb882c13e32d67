#include "overlay/inodes/recent_lists.h"

#include <gtest/gtest.h>

namespace lamina::overlay {
namespace {

std::weak_ptr<const int> keep(RecentLists& lists, NodeId directory, std::size_t names) {
  const auto list = std::make_shared<const int>(1);
  lists.keep(directory, list, names);
  return list;
}

TEST(RecentLists, DropsTheOldestAboveItsNumberOfNames) {
  RecentLists lists(100);
  const auto first = keep(lists, 1, 60);
  const auto second = keep(lists, 2, 40);
  EXPECT_FALSE(first.expired());
  const auto third = keep(lists, 3, 1);
  EXPECT_TRUE(first.expired());
  EXPECT_FALSE(second.expired());
  EXPECT_FALSE(third.expired());
}

TEST(RecentLists, KeepsTheNewestWhateverItsSize) {
  RecentLists lists(100);
  const auto small = keep(lists, 1, 1);
  const auto large = keep(lists, 2, 1000);
  EXPECT_TRUE(small.expired());
  EXPECT_FALSE(large.expired());
}

TEST(RecentLists, CountsListsWithoutNames) {
  RecentLists lists(160);
  const auto first = keep(lists, 1, 0);
  for (NodeId directory = 2; directory < 12; ++directory) keep(lists, directory, 0);
  EXPECT_TRUE(first.expired());
  EXPECT_EQ(lists.size(), 10U);
}

TEST(RecentLists, KeepsOneListOfADirectory) {
  RecentLists lists(100);
  const auto other = keep(lists, 1, 40);
  const auto older = keep(lists, 2, 60);
  const auto newer = keep(lists, 2, 60);
  EXPECT_TRUE(older.expired());
  EXPECT_FALSE(other.expired());
  EXPECT_FALSE(newer.expired());
  EXPECT_EQ(lists.size(), 2U);
}

}  // namespace
}  // namespace lamina::overlay
