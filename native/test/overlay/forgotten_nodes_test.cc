#include "overlay/inodes/forgotten_nodes.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace lamina::overlay {
namespace {

ForgottenNodes::Record record_of(std::uint64_t identity) {
  return {{1, identity}, root_node, std::to_string(identity), nullptr};
}

TEST(ForgottenNodes, FindsAndGivesBackOnce) {
  ForgottenNodes nodes;
  nodes.remember(7, record_of(70));
  ASSERT_TRUE(nodes.find(7).has_value());
  EXPECT_EQ(nodes.find(7)->name, "70");
  EXPECT_EQ(nodes.take({1, 70}), std::optional<NodeId>(7));
  EXPECT_FALSE(nodes.take({1, 70}).has_value());
  EXPECT_FALSE(nodes.find(7).has_value());
}

TEST(ForgottenNodes, KnowsANodeByItsLatestKey) {
  ForgottenNodes nodes;
  nodes.remember(7, record_of(70));
  nodes.remember(7, record_of(71));
  EXPECT_FALSE(nodes.take({1, 70}).has_value());
  EXPECT_EQ(nodes.find(7)->name, "71");
  EXPECT_EQ(nodes.take({1, 71}), std::optional<NodeId>(7));
}

TEST(ForgottenNodes, DropsTheOldest) {
  ForgottenNodes nodes;
  const NodeId count = 2 * ForgottenNodes::most;
  for (NodeId node = 2; node < 2 + count; ++node) nodes.remember(node, record_of(node));
  EXPECT_FALSE(nodes.find(2).has_value());
  EXPECT_FALSE(nodes.take({1, 2}).has_value());
  EXPECT_TRUE(nodes.find(count).has_value());
  std::size_t kept = 0;
  for (NodeId node = 2; node < 2 + count; ++node) kept += nodes.find(node).has_value() ? 1 : 0;
  EXPECT_EQ(kept, ForgottenNodes::most);
}

TEST(ForgottenNodes, GivesANodeToOneThreadOnly) {
  ForgottenNodes nodes;
  constexpr NodeId count = 2000;
  for (NodeId node = 2; node < 2 + count; ++node) nodes.remember(node, record_of(node));
  std::atomic<std::size_t> taken{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (NodeId node = 2; node < 2 + count; ++node) {
        if (nodes.take({1, node})) ++taken;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(taken.load(), count);
}

}  // namespace
}  // namespace lamina::overlay
