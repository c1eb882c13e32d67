#include "overlay/inodes/one_or_more.h"

#include <gtest/gtest.h>

namespace lamina::overlay {
namespace {

struct Item {
  int value = 0;
  [[nodiscard]] bool is_none() const { return value == 0; }
  friend bool operator==(const Item&, const Item&) = default;
};
using Items = std::vector<Item>;

TEST(OneOrMore, HoldsNoneOneAndMore) {
  OneOrMore<Item> list;
  EXPECT_TRUE(list.empty());
  EXPECT_EQ(list.size(), 0U);
  EXPECT_EQ(Items(list), Items());
  list.push_back({1});
  EXPECT_EQ(list.front(), list.back());
  EXPECT_EQ(list.size(), 1U);
  list.push_back({2});
  list.push_back({3});
  EXPECT_EQ(list.front(), Item{1});
  EXPECT_EQ(list.back(), Item{3});
  EXPECT_EQ(list.size(), 3U);
  EXPECT_EQ(Items(list), (Items{{1}, {2}, {3}}));
  list = Items{{4}};
  EXPECT_EQ(list.back(), Item{4});
  list.clear();
  EXPECT_TRUE(list.empty());
}

}  // namespace
}  // namespace lamina::overlay
