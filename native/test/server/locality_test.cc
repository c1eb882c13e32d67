#include "server/locality.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <thread>

#include <unistd.h>

namespace lamina::server {
namespace {

// What callers' processors are said to be: caller 1 is on 0, caller 2 on 1, caller 3 has ended, others on 0.
int asked = 0;
sys::Result<unsigned> said(std::int32_t caller) {
  ++asked;
  if (caller == 3) return sys::Errno{ENOENT};
  return caller == 2 ? 1U : 0U;
}

// On a thread of its own, whose affinity dies with it.
template <typename Work>
void on_a_thread(Work work) {
  std::thread(work).join();
}

bool many_processors() { return std::thread::hardware_concurrency() > 1; }

TEST(Locality, StaysWhereItsCallersAre) {
  if (!many_processors()) GTEST_SKIP();
  on_a_thread([] {
    Locality locality(&said);
    for (int i = 0; i < 15; ++i) locality.serving(1);
    EXPECT_EQ(locality.processor(), -1);
    locality.serving(1);
    EXPECT_EQ(locality.processor(), 0);
    const auto allowed = sys::allowed_processors();
    ASSERT_TRUE(allowed.ok());
    EXPECT_EQ(CPU_COUNT(&*allowed), 1);
  });
}

TEST(Locality, FollowsACallerThatMoves) {
  if (!many_processors()) GTEST_SKIP();
  on_a_thread([] {
    Locality locality(&said);
    for (int i = 0; i < 100; ++i) locality.serving(1);
    for (int i = 0; i < 100; ++i) locality.serving(2);
    EXPECT_EQ(locality.processor(), 1);
  });
}

TEST(Locality, GoesAnywhereForCallersFromEverywhere) {
  if (!many_processors()) GTEST_SKIP();
  on_a_thread([] {
    const auto before = sys::allowed_processors();
    Locality locality(&said);
    for (int i = 0; i < 100; ++i) locality.serving(1);
    for (int i = 0; i < 100; ++i) locality.serving(1 + i % 2);
    EXPECT_EQ(locality.processor(), -1);
    const auto after = sys::allowed_processors();
    ASSERT_TRUE(before.ok() && after.ok());
    EXPECT_TRUE(CPU_EQUAL(&*before, &*after));
  });
}

TEST(Locality, AsksSeldom) {
  if (!many_processors()) GTEST_SKIP();
  on_a_thread([] {
    Locality locality(&said);
    asked = 0;
    for (int i = 0; i < 3200; ++i) locality.serving(1);
    EXPECT_LE(asked, 101);
  });
}

TEST(Locality, PassesOverWhomItCannotFind) {
  on_a_thread([] {
    Locality locality(&said);
    for (int i = 0; i < 100; ++i) locality.serving(3);
    for (int i = 0; i < 100; ++i) locality.serving(0);
    EXPECT_EQ(locality.processor(), -1);
  });
}

TEST(Processors, OfOurselves) {
  on_a_thread([] {
    const auto allowed = sys::allowed_processors();
    ASSERT_TRUE(allowed.ok());
    for (unsigned processor = 0; processor < CPU_SETSIZE; ++processor) {
      if (!CPU_ISSET(processor, &*allowed)) continue;
      ASSERT_TRUE(sys::stay_on(processor).ok());
      const auto told = sys::processor_of(static_cast<std::int32_t>(::gettid()));
      ASSERT_TRUE(told.ok());
      EXPECT_EQ(*told, processor);
    }
  });
  EXPECT_TRUE(sys::processor_of(0).failed_with(ESRCH));
}

}  // namespace
}  // namespace lamina::server
