#include "server/read_ahead.h"

#include <gtest/gtest.h>

#include <set>

namespace lamina::server {
namespace {

std::set<overlay::NodeId> given(ReadAhead& ahead, std::initializer_list<overlay::NodeId> reads) {
  std::set<overlay::NodeId> all;
  for (const overlay::NodeId node : reads) {
    const auto nodes = ahead.next(node);
    for (overlay::NodeId each = nodes.begin; each < nodes.end; ++each)
      EXPECT_TRUE(all.insert(each).second) << each << " twice";
  }
  return all;
}

TEST(ReadAhead, GivesWhatComesNextOnce) {
  ReadAhead ahead;
  const auto nodes = given(ahead, {100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110});
  EXPECT_EQ(*nodes.begin(), 103U);
  EXPECT_GE(*nodes.rbegin(), 111U);
  EXPECT_EQ(nodes.size(), *nodes.rbegin() - *nodes.begin() + 1) << "none is left out";
}

TEST(ReadAhead, PassesOverDirectories) {
  ReadAhead ahead;
  EXPECT_FALSE(given(ahead, {10, 14, 20, 23}).empty());
}

TEST(ReadAhead, GivesNothingToWhoReadsWithoutOrder) {
  ReadAhead ahead;
  EXPECT_TRUE(given(ahead, {500, 20, 300, 21, 900, 450, 7, 1000, 600, 30}).empty());
}

TEST(ReadAhead, GivesNothingForAFileReadAgain) {
  ReadAhead ahead;
  EXPECT_TRUE(given(ahead, {40, 40, 40, 41, 40, 41}).empty());
}

TEST(ReadAhead, FollowsSeveralReaders) {
  ReadAhead ahead;
  const auto nodes = given(ahead, {100, 5000, 101, 5001, 102, 5002, 103, 5003});
  EXPECT_TRUE(nodes.contains(104));
  EXPECT_TRUE(nodes.contains(5004));
}

}  // namespace
}  // namespace lamina::server
