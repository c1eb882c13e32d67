#include "overlay/inodes/recent_lists.h"

#include <gtest/gtest.h>

namespace lamina::overlay {
namespace {

std::weak_ptr<const int> keep(RecentLists& lists, std::size_t names) {
  const auto list = std::make_shared<const int>(1);
  lists.keep(list, names);
  return list;
}

TEST(RecentLists, DropsTheOldestAboveItsNumberOfNames) {
  RecentLists lists(100);
  const auto first = keep(lists, 60);
  const auto second = keep(lists, 40);
  EXPECT_FALSE(first.expired());
  const auto third = keep(lists, 1);
  EXPECT_TRUE(first.expired());
  EXPECT_FALSE(second.expired());
  EXPECT_FALSE(third.expired());
}

TEST(RecentLists, KeepsTheNewestWhateverItsSize) {
  RecentLists lists(100);
  const auto small = keep(lists, 1);
  const auto large = keep(lists, 1000);
  EXPECT_TRUE(small.expired());
  EXPECT_FALSE(large.expired());
}

TEST(RecentLists, CountsListsWithoutNames) {
  RecentLists lists(160);
  const auto first = keep(lists, 0);
  for (int i = 0; i < 10; ++i) keep(lists, 0);
  EXPECT_TRUE(first.expired());
  EXPECT_EQ(lists.size(), 10U);
}

}  // namespace
}  // namespace lamina::overlay
