// A server that dies at any step of any operation: the request is sent again, and what comes out must be what comes out
// without a death.
#include <cstdlib>

#include "test/server/crash_outcome.h"

namespace lamina::test {
namespace {

// Every eighth step, from one that differs by scenario; LAMINA_EVERY_STEP: every one.
struct Steps {
  const long stride = std::getenv("LAMINA_EVERY_STEP") != nullptr ? 1 : 8;
  const long first;
  explicit Steps(const Scenario& scenario) : first(1 + static_cast<long>(scenario.name.size()) % stride) {}
};

class CrashTest : public testing::TestWithParam<Scenario> {};

struct Played {
  std::string answer, after;
  int deaths = 0;
};

Played play(const Scenario& scenario, long step, long answerings) {
  MortalServer server(fill, scenario.mount);
  Nodes nodes;
  scenario.prepare(server, nodes);
  server.settle();
  const Request request = scenario.request(nodes);
  server.doom_to(step, answerings);
  Played result;
  const std::uint64_t unique = server.kernel().send(request.opcode, request.node, request.body);
  result.answer = describe_answer(request, insist(server, unique, result.deaths));
  server.doom().steps.store(0);
  result.after = outcome(server, nodes);
  return result;
}

TEST_P(CrashTest, ADeathAtAnyStepChangesNothing) {
  const Played whole = play(GetParam(), 0, 0);
  ASSERT_EQ(whole.deaths, 0);
  const Steps steps(GetParam());
  long step = steps.first;
  for (;; step += steps.stride) {
    const Played broken = play(GetParam(), step, 0);
    EXPECT_EQ(broken.answer, whole.answer) << "step " << step;
    EXPECT_EQ(broken.after, whole.after) << "step " << step;
    if (broken.deaths == 0 || HasFailure()) break;
  }
  RecordProperty("steps", static_cast<int>(step - 1));
  EXPECT_GT(step, 4);
}

// Whatever was done and not answered is asked again, two times.
TEST_P(CrashTest, AskedThreeTimesItIsDoneOnce) {
  const Played whole = play(GetParam(), 0, 0);
  MortalServer server(fill, GetParam().mount);
  Nodes nodes;
  GetParam().prepare(server, nodes);
  server.settle();
  const Request request = GetParam().request(nodes);
  server.doom_to(0, 1);
  std::uint64_t unique = server.kernel().send(request.opcode, request.node, request.body);
  for (const long next : {1L, 0L}) {
    ASSERT_TRUE(server.dies());
    ASSERT_FALSE(server.kernel().answered(0));
    unique = server.kernel().send_again();
    server.doom_to(0, next);
    server.go_on();
  }
  int deaths = 0;
  EXPECT_EQ(describe_answer(request, insist(server, unique, deaths)), whole.answer);
  EXPECT_EQ(outcome(server, nodes), whole.after);
}

// Its client was killed, too, so that it is not sent again: it was done, or it was not.
TEST_P(CrashTest, WithdrawnItIsDoneWholeOrNotAtAll) {
  const auto view = [](long step, bool asked, bool& died) {
    MortalServer server(fill, GetParam().mount);
    Nodes nodes;
    GetParam().prepare(server, nodes);
    server.settle();
    const Request request = GetParam().request(nodes);
    server.doom_to(step, 0);
    if (asked) {
      const std::uint64_t unique = server.kernel().send(request.opcode, request.node, request.body);
      died = server.dies();
      if (server.kernel().answered(0)) static_cast<void>(server.kernel().answer(unique));
      if (died) server.go_on();
    }
    server.doom().steps.store(0);
    std::string text;
    describe(server, 1, "/", text);
    return text;
  };
  bool died = false;
  const std::string before = view(0, false, died);
  const std::string after = view(0, true, died);
  ASSERT_FALSE(died);
  const Steps steps(GetParam());
  for (long step = steps.first;; step += steps.stride) {
    const std::string broken = view(step, true, died);
    EXPECT_TRUE(broken == before || broken == after) << "step " << step << "\n" << broken;
    if (!died || HasFailure()) break;
  }
}

INSTANTIATE_TEST_SUITE_P(Operations, CrashTest, testing::ValuesIn(scenarios()), [](const auto& scenario) {
  std::string name;
  for (const char each : scenario.param.name) {
    if (std::isalnum(static_cast<unsigned char>(each)))
      name += each;
    else if (each == ' ')
      name += '_';
  }
  return name;
});

}  // namespace
}  // namespace lamina::test
