// The operations at every step of which a server dies, each with what is there before.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "test/server/mortal_server.h"

namespace lamina::test {

using abi::Opcode;

struct Request {
  Opcode opcode = Opcode::lookup;
  std::uint64_t node = 1;
  std::string body;
};

// Nodes by a name of the test's choice.
using Nodes = std::map<std::string, std::uint64_t>;

struct Scenario {
  std::string name;
  std::function<void(MortalServer&, Nodes&)> prepare;
  std::function<Request(const Nodes&)> request;
  MortalServer::Mount mount = {};
};

// A request as a client might make it, by chance; it asks the server for the nodes. Nothing where they are not there.
std::optional<Request> any_request(MortalServer& server, std::mt19937& random);

// The layers that all of them start from.
void fill(const TemporaryDirectory& place);
std::vector<Scenario> scenarios();

}  // namespace lamina::test
