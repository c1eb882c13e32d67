// The table of open files: what passthrough knows of a file from its first opening to its last release.
#include "server/open_files.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>
#include <vector>

namespace lamina::server {
namespace {

using overlay::NodeId;

constexpr NodeId node = 7;
constexpr NodeId same_shard = node + 16;

TEST(OpenFiles, KeepsARecordWhileThereAreOpenings) {
  OpenFiles files;
  {
    const auto held = files.hold(node);
    EXPECT_EQ(held->opens, 0U);
    held->opens = 2;
    held->backing_id = 9;
    held->lower = true;
  }
  {
    const auto held = files.hold(node);
    EXPECT_EQ(held->opens, 2U);
    EXPECT_EQ(held->backing_id, 9);
    EXPECT_TRUE(held->lower);
    held->opens = 1;
  }
  EXPECT_EQ(files.hold(node)->backing_id, 9);
}

TEST(OpenFiles, ForgetsARecordWithoutOpenings) {
  OpenFiles files;
  {
    const auto held = files.hold(node);
    held->opens = 1;
    held->backing_id = 9;
    held->keeps_suid = true;
    held->others = 1;
  }
  files.hold(node)->opens = 0;
  const auto held = files.hold(node);
  EXPECT_EQ(held->backing_id, 0);
  EXPECT_FALSE(held->keeps_suid);
  EXPECT_EQ(held->others, 0U);
}

TEST(OpenFiles, ForgetsARecordOfAnOpeningThatFailed) {
  OpenFiles files;
  files.hold(node)->backing_id = 9;
  EXPECT_EQ(files.hold(node)->backing_id, 0);
}

TEST(OpenFiles, HoldsOneNodeAndNoOther) {
  OpenFiles files;
  auto other = std::async(std::launch::deferred, [&] { return files.hold(same_shard)->opens; });
  std::atomic<bool> got{false};
  std::thread waits;
  {
    const auto held = files.hold(node);
    EXPECT_EQ(other.get(), 0U) << "the same shard, another node";
    waits = std::thread([&] {
      const auto second = files.hold(node);
      got = true;
      // Let go without openings: what the first one left must be seen before.
      EXPECT_EQ(second->opens, 5U);
      second->opens = 0;
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    EXPECT_FALSE(got.load());
    held->opens = 5;
  }
  waits.join();
  EXPECT_TRUE(got.load());
  EXPECT_EQ(files.hold(node)->opens, 0U);
}

// Who waited for a record that goes must not go on with it: two would hold "the" record of a node at once.
TEST(OpenFiles, NeverHasTwoRecordsOfANode) {
  OpenFiles files;
  constexpr int rounds = 20'000;
  constexpr int threads = 4;
  std::atomic<int> inside{0};
  std::atomic<bool> alone{true};
  std::uint64_t balance = 0;  // guarded by the record
  std::vector<std::thread> workers;
  workers.reserve(threads);
  for (int number = 0; number < threads; ++number) {
    workers.emplace_back([&] {
      for (int round = 0; round < rounds; ++round) {
        const auto held = files.hold(node);
        if (inside.fetch_add(1) != 0) alone = false;
        ++balance;
        // Opens now and then, and closes at once what is open: the record comes and goes.
        held->opens = held->opens == 0 && round % 3 == 0 ? 1 : 0;
        inside.fetch_sub(1);
      }
    });
  }
  for (std::thread& each : workers) each.join();
  EXPECT_TRUE(alone.load());
  EXPECT_EQ(balance, std::uint64_t{rounds} * threads);
}

}  // namespace
}  // namespace lamina::server
