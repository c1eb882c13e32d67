#include "control/control_server.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <nlohmann/json.hpp>
#include <thread>

#include "sys/data.h"
#include "sys/names.h"
#include "sys/open.h"
#include "sys/unix_socket.h"
#include "test/support/temporary_directory.h"

namespace lamina::control {
namespace {

using nlohmann::json;
using test::TemporaryDirectory;

Handlers sample_handlers() {
  Handlers handlers;
  handlers["ping"] = [](std::string_view) { return Answer::object("{\"pid\": 12,\n \"mode\": \"stateless\"}"); };
  handlers["flush"] = [](std::string_view) { return Answer::done(); };
  handlers["fail"] = [](std::string_view) { return Answer::failure("no \"journal\" \xff"); };
  handlers["echo"] = [](std::string_view request) { return Answer::object(json{{"request", request}}.dump()); };
  handlers["large"] = [](std::string_view) { return Answer::object(json{{"text", std::string(500'000, 'x')}}.dump()); };
  return handlers;
}

class ControlTest : public testing::Test {
 protected:
  void SetUp() override { server_ = open("socket"); }
  std::unique_ptr<ControlServer> open(const std::string& name) {
    explanation_.clear();
    auto server = ControlServer::open(root_.path(name), sample_handlers(), explanation_);
    return server.ok() ? std::move(*server) : nullptr;
  }
  sys::FileDescriptor connect(const std::string& name = "socket") {
    auto socket = sys::connect_at(root_.descriptor(), name);
    EXPECT_TRUE(socket.ok()) << name;
    return socket.ok() ? std::move(*socket) : sys::FileDescriptor();
  }
  // A line without its newline; "" at the end, or after ten seconds of silence.
  static std::string read_line(const sys::FileDescriptor& socket) {
    std::string line;
    char byte = 0;
    pollfd waiting{socket.get(), POLLIN, 0};
    while (::poll(&waiting, 1, 10'000) == 1 && ::recv(socket.get(), &byte, 1, 0) == 1) {
      if (byte == '\n') return line;
      line += byte;
    }
    return {};
  }
  static std::string ask(const sys::FileDescriptor& socket, const std::string& line) {
    EXPECT_TRUE(sys::write_all(socket.get(), line + "\n").ok());
    return read_line(socket);
  }

  TemporaryDirectory root_;
  std::string explanation_;
  std::unique_ptr<ControlServer> server_;
};

TEST_F(ControlTest, AnswersLineByLine) {
  ASSERT_TRUE(server_) << explanation_;
  const auto client = connect();
  EXPECT_EQ(json::parse(ask(client, R"({"command":"ping"})")),
            (json{{"ok", true}, {"pid", 12}, {"mode", "stateless"}}));
  EXPECT_EQ(ask(client, R"({"command":"flush"})"), R"({"ok":true})");
  EXPECT_EQ(json::parse(ask(client, R"({"command":"fail"})")),
            (json{{"ok", false}, {"error", "no \"journal\" \xef\xbf\xbd"}}));
  EXPECT_EQ(json::parse(ask(client, R"({"command":"echo","more":[1]})"))["request"],
            R"({"command":"echo","more":[1]})");
  ASSERT_TRUE(sys::write_all(client.get(), "{\"command\":\"flush\"}\n{\"command\":\"fail\"}\n{\"comm").ok());
  EXPECT_EQ(read_line(client), R"({"ok":true})");
  EXPECT_NE(read_line(client).find("journal"), std::string::npos);
  EXPECT_EQ(ask(client, "and\":\"flush\"}"), R"({"ok":true})");
}

TEST_F(ControlTest, AnswersMalformedInputWithAnError) {
  const auto client = connect();
  for (const std::string line :
       {"", "x", "[]", "1", "{\"command\":1}", "{}", "\xff\xfe", "{\"command\":\"none\"}", "{\"command\":\"ping\""}) {
    const auto answer = json::parse(ask(client, line), nullptr, false);
    ASSERT_TRUE(answer.is_object()) << line;
    EXPECT_EQ(answer["ok"], false) << line;
    EXPECT_TRUE(answer["error"].is_string());
  }
  EXPECT_NE(ask(client, "{\"command\":\"none\"}").find("echo fail flush"), std::string::npos) << "names what there is";
  EXPECT_EQ(ask(client, R"({"command":"flush"})"), R"({"ok":true})");
}

TEST_F(ControlTest, EndsClientsWhoseLineIsTooLong) {
  const auto client = connect();
  std::string fits = R"({"command":"flush","fill":")";
  fits += std::string(ControlServer::longest_line - fits.size() - 2, 'x') + "\"}";
  ASSERT_EQ(fits.size(), ControlServer::longest_line);
  EXPECT_EQ(ask(client, fits), R"({"ok":true})");
  const std::string endless(ControlServer::longest_line + 1, 'x');
  ASSERT_TRUE(sys::write_all(client.get(), endless).ok());
  EXPECT_NE(read_line(client).find("longer than 65536"), std::string::npos);
  EXPECT_EQ(read_line(client), "");
  EXPECT_EQ(ask(connect(), R"({"command":"flush"})"), R"({"ok":true})");
}

TEST_F(ControlTest, ServesSeveralClientsAndSlowOnes) {
  const auto slow = connect();
  ASSERT_TRUE(sys::write_all(slow.get(), "{\"command\":\"large\"}\n").ok());
  std::vector<std::thread> threads;
  for (int number = 0; number < 8; ++number) {
    threads.emplace_back([this] {
      const auto client = connect();
      for (int round = 0; round < 50; ++round) EXPECT_EQ(ask(client, R"({"command":"flush"})"), R"({"ok":true})");
    });
  }
  for (auto& thread : threads) thread.join();
  const auto answer = json::parse(read_line(slow));
  EXPECT_EQ(answer["text"].get<std::string>().size(), 500'000U);
  { const auto gone = connect(); }
  EXPECT_EQ(ask(connect(), R"({"command":"flush"})"), R"({"ok":true})");
}

TEST_F(ControlTest, AnswersAClientThatSendsNoMore) {
  const auto client = connect();
  ASSERT_TRUE(sys::write_all(client.get(), "{\"command\":\"flush\"}\n{\"command\":\"ping\"}").ok());
  ASSERT_EQ(::shutdown(client.get(), SHUT_WR), 0);
  EXPECT_EQ(read_line(client), R"({"ok":true})");
  EXPECT_EQ(json::parse(read_line(client))["pid"], 12);
  EXPECT_EQ(read_line(client), "");
}

TEST_F(ControlTest, TheSocketIsPrivateAndGoesWithTheServer) {
  EXPECT_EQ(sys::status_at(root_.descriptor(), "socket")->mode, S_IFSOCK | 0600U);
  const auto client = connect();
  server_.reset();
  EXPECT_TRUE(std::filesystem::is_empty(root_.path()));
  EXPECT_EQ(read_line(client), "");
}

TEST_F(ControlTest, RefusesOtherUsers) {
  if (!test::is_root()) GTEST_SKIP() << "needs a second user";
  ASSERT_EQ(::chmod(root_.path().c_str(), 0755), 0);
  ASSERT_EQ(::chmod(root_.path("socket").c_str(), 0666), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    if (::setresuid(65534, 65534, 65534) != 0) ::_exit(2);
    const auto socket = sys::connect_at(root_.descriptor(), "socket");
    if (!socket.ok()) ::_exit(3);
    const std::string answer = read_line(*socket);
    ::_exit(answer.find("for the owner of the mount") != std::string::npos && read_line(*socket).empty() ? 0 : 4);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST_F(ControlTest, ReplacesADeadSocketButNoLiveOne) {
  EXPECT_EQ(open("socket"), nullptr);
  EXPECT_NE(explanation_.find("a running driver listens there"), std::string::npos) << explanation_;
  EXPECT_EQ(ask(connect(), R"({"command":"flush"})"), R"({"ok":true})") << "the live one was left alone";
  {
    const auto dead = sys::listen_at(root_.descriptor(), "dead");
    ASSERT_TRUE(dead.ok());
  }
  const auto second = open("dead");
  ASSERT_TRUE(second) << explanation_;
  EXPECT_EQ(ask(connect("dead"), R"({"command":"flush"})"), R"({"ok":true})");
  root_.file("file", "precious");
  EXPECT_EQ(open("file"), nullptr);
  EXPECT_NE(explanation_.find("is not a socket"), std::string::npos) << explanation_;
  EXPECT_EQ(root_.content("file"), "precious");
  EXPECT_EQ(open("none/socket"), nullptr);
  EXPECT_EQ(explanation_, "control socket " + root_.path("none/socket") + ": No such file or directory");
}

TEST_F(ControlTest, PathsMayBeLong) {
  const std::string directory = std::string(200, 'd') + "/" + std::string(200, 'e');
  root_.directory(directory);
  const std::string name = std::string(250, 's');
  const auto server = open(directory + "/" + name);
  ASSERT_TRUE(server) << explanation_;
  const auto opened = sys::open_path(root_.path(directory), O_RDONLY | O_DIRECTORY);
  const auto client = sys::connect_at(opened->get(), name);
  ASSERT_TRUE(client.ok());
  EXPECT_EQ(ask(*client, R"({"command":"flush"})"), R"({"ok":true})");
}

TEST_F(ControlTest, LeavesASocketThatIsNotItsOwn) {
  ASSERT_TRUE(sys::unlink(root_.descriptor(), "socket").ok());
  const auto other = sys::listen_at(root_.descriptor(), "socket");
  ASSERT_TRUE(other.ok());
  server_.reset();
  EXPECT_TRUE(std::filesystem::exists(root_.path("socket")));
}

}  // namespace
}  // namespace lamina::control
