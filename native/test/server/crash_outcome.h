// What comes out of a request, to be compared with what comes out of it elsewhere.
#pragma once

#include <string>

#include "test/server/crash_scenarios.h"

namespace lamina::test {

// All that the mount shows below a node, added to `into`.
void describe(MortalServer& server, std::uint64_t node, const std::string& path, std::string& into);
// What an answer says.
std::string describe_answer(const Request& request, const Answer& answer);
// All that is left: what the nodes that the kernel knows give, the mount, the upper, work, and what was recorded. Ends
// the server.
std::string outcome(MortalServer& server, const Nodes& nodes);
// Waits until a server lives long enough to answer the last request, which is sent again after each death. Gives what
// it answered.
Answer insist(MortalServer& server, std::uint64_t unique, int& deaths);

}  // namespace lamina::test
