// Long sessions whose server dies again and again, and requests that kill it.
#include <algorithm>
#include <cstdlib>
#include <random>

#include "test/server/crash_outcome.h"

namespace lamina::test {
namespace {

struct Session {
  std::string answers, after;
  int requests = 0;
};

// A new worker does not know which files were written before, and records another write once more: such lines, and the
// numbers that they shift, are left out.
std::string without_writes(const std::string& text) {
  std::string kept;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size() - 1) + 1;
    std::string line = text.substr(at, end - at);
    at = end;
    if (line.starts_with("{\"n\":")) line.erase(0, line.find(','));
    if (!line.starts_with(",\"operation\":\"write\"")) kept += line;
  }
  return kept;
}

// Every request is asked `times` times: the server dies just before each answer but the last.
Session play(unsigned seed, int times) {
  MortalServer server(fill, {.indexed = seed % 2 == 1, .synchronous = seed % 4 < 2});
  std::mt19937 random(seed);
  Session session;
  for (int round = 0; round < 400; ++round) {
    const auto request = any_request(server, random);
    if (!request) continue;
    server.settle();
    if (times > 1) server.doom_to(0, 1);
    std::uint64_t unique = server.kernel().send(request->opcode, request->node, request->body);
    for (int left = times - 2; left >= 0; --left) {
      if (!server.dies()) ADD_FAILURE() << "it lives";
      unique = server.kernel().send_again();
      server.doom_to(0, left > 0 ? 1 : 0);
      server.go_on();
    }
    ++session.requests;
    int deaths = 0;
    const Answer answer = insist(server, unique, deaths);
    // Not the node: one that the kernel did not know gets another number after a death.
    session.answers += std::to_string(round) + ": " + std::to_string(static_cast<int>(request->opcode)) + " " +
                       describe_answer(*request, answer) + "\n";
  }
  session.after = without_writes(outcome(server, {}));
  return session;
}

class CrashSessionTest : public testing::TestWithParam<unsigned> {};

TEST_P(CrashSessionTest, AskedThreeTimesEachItIsTheSame) {
  const Session whole = play(GetParam(), 1);
  const Session broken = play(GetParam(), 3);
  EXPECT_GT(whole.requests, 50);
  EXPECT_EQ(broken.answers, whole.answers);
  EXPECT_EQ(broken.after, whole.after);
}

INSTANTIATE_TEST_SUITE_P(Seeds, CrashSessionTest,
                         testing::Range(1U, std::getenv("LAMINA_EVERY_STEP") != nullptr ? 41U : 4U));

TEST(CrashMarkTest, ARequestThatKillsTwoServersIsAnsweredWithAnErrorAndReported) {
  MortalServer server(fill, {});
  server.settle();
  server.doom().faults.store(2);
  std::uint64_t unique = server.kernel().send(Opcode::unlink, 1, Kernel::name("u"));
  for (int death = 0; death < 2; ++death) {
    ASSERT_TRUE(server.dies());
    ASSERT_FALSE(server.kernel().answered(0));
    unique = server.kernel().send_again();
    server.go_on();
  }
  ASSERT_FALSE(server.dies());
  EXPECT_EQ(server.kernel().answer(unique).error, EIO);
  EXPECT_EQ(server.place().content("report"), "the request unlink on node 1 has killed 2 workers, and fails with EIO");
  // All else goes on, and nothing was removed.
  EXPECT_EQ(server.kernel().ask(Opcode::lookup, 1, Kernel::name("u")).error, 0);
  EXPECT_EQ(server.kernel().ask(Opcode::unlink, 1, Kernel::name("u")).error, 0);
}

}  // namespace
}  // namespace lamina::test
