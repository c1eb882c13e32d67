// A server that dies at any step of any operation: the request is sent again, and what comes out must be what comes out without a
// death.
#include <sys/xattr.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "test/server/crash_scenarios.h"

namespace lamina::test {
namespace {

// The links of a directory tell whether it was copied up, which may be done for an operation that is not.
std::string attributes(const abi::Attr& attr) {
  const bool directory = S_ISDIR(attr.mode);
  return " mode " + std::to_string(attr.mode) + " size " + (directory ? "-" : std::to_string(attr.size)) + " links " +
         (directory ? "-" : std::to_string(attr.nlink)) + " owner " + std::to_string(attr.uid) + ":" + std::to_string(attr.gid);
}

// All that the mount shows below a node.
void describe(MortalServer& server, std::uint64_t node, const std::string& path, std::string& into) {
  Kernel& kernel = server.kernel();
  abi::ReadIn in{};
  in.size = 65536;
  const Answer listed = kernel.ask(Opcode::readdir, node, Kernel::bytes(in));
  std::vector<std::string> names;
  for (std::size_t at = 0; at + sizeof(abi::Dirent) <= listed.body.size();) {
    abi::Dirent entry{};
    std::memcpy(&entry, listed.body.data() + at, sizeof entry);
    names.emplace_back(listed.body.substr(at + sizeof entry, entry.namelen));
    at += abi::dirent_size(entry.namelen);
  }
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    if (name == "." || name == "..") continue;
    const Answer found = kernel.ask(Opcode::lookup, node, Kernel::name(name));
    const auto entry = found.as<abi::EntryOut>();
    into += path + name + " error " + std::to_string(found.error) + attributes(entry.attr);
    if (S_ISREG(entry.attr.mode)) into += " " + kernel.ask(Opcode::read, entry.nodeid, Kernel::bytes(in)).body;
    const Answer value =
        kernel.ask(Opcode::getxattr, entry.nodeid, Kernel::bytes(abi::GetxattrIn{64, 0}) + Kernel::name("user.k"));
    into += " xattr " + std::to_string(value.error) + value.body + "\n";
    if (S_ISDIR(entry.attr.mode)) describe(server, entry.nodeid, path + name + "/", into);
  }
}

// What lies in the upper and in work.
std::string disk(const MortalServer& server) {
  std::string text;
  std::vector<std::string> lines;
  for (const char* top : {"upper", "work"}) {
    for (const auto& each : std::filesystem::recursive_directory_iterator(server.place().path(top))) {
      struct stat status {};
      EXPECT_EQ(::lstat(each.path().c_str(), &status), 0);
      std::string line = each.path().string().substr(server.place().path().size()) + " " + std::to_string(status.st_mode) + " " +
                         std::to_string(S_ISDIR(status.st_mode) ? 0 : status.st_nlink) + " " +
                         std::to_string(S_ISREG(status.st_mode) ? status.st_size : 0);
      for (const char* mark : {"opaque", "redirect", "metacopy"}) {
        std::string value(256, '\0');
        const ssize_t size = ::lgetxattr(each.path().c_str(), (test::mark_prefix() + mark).c_str(), value.data(), value.size());
        if (size >= 0) line += std::string(" ") + mark + "=" + value.substr(0, static_cast<std::size_t>(size));
      }
      lines.push_back(line);
    }
  }
  std::sort(lines.begin(), lines.end());
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

std::string told(const Request& request, const Answer& answer) {
  std::string text = "error " + std::to_string(answer.error);
  switch (request.opcode) {
    case Opcode::mknod:
    case Opcode::mkdir:
    case Opcode::symlink:
    case Opcode::link:
    case Opcode::tmpfile:
    case Opcode::lookup:
      return text + attributes(answer.as<abi::EntryOut>().attr);
    case Opcode::setattr:
      return text + attributes(answer.as<abi::AttrOut>().attr);
    case Opcode::write:
      return text + " wrote " + std::to_string(answer.as<abi::WriteOut>().size);
    default:
      return text;
  }
}

// What every node that the kernel knows still gives: removed files, too.
std::string known(MortalServer& server, const Nodes& nodes) {
  std::string text;
  for (const auto& [name, node] : nodes) {
    const Answer answer = server.kernel().ask(Opcode::getattr, node, Kernel::bytes(abi::GetattrIn{}));
    const auto attr = answer.as<abi::AttrOut>().attr;
    text += "node " + name + " error " + std::to_string(answer.error) + attributes(attr);
    abi::ReadIn in{};
    in.size = 4096;
    if (S_ISREG(attr.mode)) text += " " + server.kernel().ask(Opcode::read, node, Kernel::bytes(in)).body;
    text += "\n";
  }
  return text;
}

std::string outcome(MortalServer& server, const Nodes& nodes) {
  std::string text = known(server, nodes);
  describe(server, 1, "/", text);
  return text + disk(server) + "pins " + std::to_string(server.pins());
}

// The same request until a server lives long enough to answer it. Gives what it answered.
Answer insist(MortalServer& server, std::uint64_t unique, int& deaths) {
  while (server.dies()) {
    ++deaths;
    // Whoever was answered is not asked again.
    if (!server.kernel().answered(0)) unique = server.kernel().send_again();
    server.go_on();
  }
  return server.kernel().answer(unique);
}

// Every fourth step, from one that differs by scenario; LAMINA_EVERY_STEP: every one.
struct Steps {
  const long stride = std::getenv("LAMINA_EVERY_STEP") != nullptr ? 1 : 4;
  const long first;
  explicit Steps(const Scenario& scenario) : first(1 + static_cast<long>(scenario.name.size()) % stride) {}
};

class CrashTest : public testing::TestWithParam<Scenario> {};

struct Played {
  std::string answer, after;
  int deaths = 0;
};

Played play(const Scenario& scenario, long step, long answerings) {
  MortalServer server(fill, scenario.indexed);
  Nodes nodes;
  scenario.prepare(server, nodes);
  server.settle();
  const Request request = scenario.request(nodes);
  server.doom_to(step, answerings);
  Played result;
  const std::uint64_t unique = server.kernel().send(request.opcode, request.node, request.body);
  result.answer = told(request, insist(server, unique, result.deaths));
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
  MortalServer server(fill, GetParam().indexed);
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
  EXPECT_EQ(told(request, insist(server, unique, deaths)), whole.answer);
  EXPECT_EQ(outcome(server, nodes), whole.after);
}

// Its client was killed, too, so that it is not sent again: it was done, or it was not.
TEST_P(CrashTest, WithdrawnItIsDoneWholeOrNotAtAll) {
  const auto view = [](long step, bool asked, bool& died) {
    MortalServer server(fill, GetParam().indexed);
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
