#include "control/control_server.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <list>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "control/client.h"
#include "control/socket_name.h"
#include "sys/readiness.h"
#include "sys/thread.h"
#include "sys/unix_socket.h"

namespace lamina::control {

namespace {

// The answer's line: {"ok":true,…}, with the members of the handler's object.
std::string line_of(const Answer& answer) {
  if (!answer.ok) return failure_line(answer.text);
  const std::size_t open = answer.text.find('{');
  const std::size_t close = answer.text.rfind('}');
  std::string line = R"({"ok":true)";
  if (open != std::string::npos && close != std::string::npos && close > open) {
    const std::string_view members = std::string_view(answer.text).substr(open + 1, close - open - 1);
    if (members.find_first_not_of(" \t\r\n") != std::string_view::npos) line += ",";
    line += members;
  }
  std::replace(line.begin(), line.end(), '\n', ' ');  // between tokens only: in strings JSON escapes it
  return line + "}\n";
}

class ThreadedServer final : public ControlServer {
 public:
  ThreadedServer(SocketName socket, Handlers handlers, sys::Wakeup end)
      : socket_(std::move(socket)), handlers_(std::move(handlers)), end_(std::move(end)) {}
  ThreadedServer(const ThreadedServer&) = delete;
  ThreadedServer& operator=(const ThreadedServer&) = delete;
  ~ThreadedServer() override {
    end_.wake();
    if (thread_.joinable()) thread_.join();
  }

  Status start() {
    LAMINA_ASSIGN(thread_, sys::start_thread("control", [this] { run(); }));
    return {};
  }

 private:
  void run();
  bool wait(std::vector<pollfd>& ready);
  void serve(const std::vector<pollfd>& ready);
  void accept_clients();
  std::string answer(std::string_view line) const;

  SocketName socket_;
  const Handlers handlers_;
  sys::Wakeup end_;
  std::list<Client> clients_;  // used by the thread only
  std::thread thread_;
};

std::string ThreadedServer::answer(std::string_view line) const {
  const auto request = nlohmann::json::parse(line, nullptr, false);
  if (request.is_discarded() || !request.is_object())
    return failure_line("the request is not a JSON object on one line");
  const auto command = request.find("command");
  if (command == request.end() || !command->is_string()) return failure_line("the request has no string \"command\"");
  const auto& name = command->get_ref<const std::string&>();
  const auto handler = handlers_.find(name);
  if (handler != handlers_.end()) return line_of(handler->second(line));
  std::string message = "there is no command \"" + name + "\"; there are";
  for (const auto& [known, unused] : handlers_) message += " " + known;
  return failure_line(message);
}

void ThreadedServer::accept_clients() {
  while (true) {
    auto accepted = sys::accept_client(socket_.listener());
    if (!accepted.ok()) {
      // Without descriptors or memory for it, a waiting client keeps the listener ready: retry soon, not at once.
      if (!accepted.failed_with(EAGAIN)) std::this_thread::sleep_for(std::chrono::milliseconds(50));
      return;
    }
    const auto uid = sys::peer_uid(accepted->get());
    Client& client = clients_.emplace_back(std::move(*accepted));
    const bool allowed = uid.ok() && (*uid == 0 || *uid == ::geteuid());
    if (!allowed) client.refuse("this socket is for the owner of the mount and for root");
    if (allowed && clients_.size() > most_clients) client.refuse("too many clients");
    client.write();
  }
}

// False where the server is to end.
bool ThreadedServer::wait(std::vector<pollfd>& ready) {
  ready.assign({{end_.descriptor(), POLLIN, 0}, {socket_.listener(), POLLIN, 0}});
  for (const Client& client : clients_) ready.push_back({client.socket(), client.events(), 0});
  return sys::wait_ready(ready).ok() && ready[0].revents == 0;
}

void ThreadedServer::serve(const std::vector<pollfd>& ready) {
  std::size_t index = 2;
  for (Client& client : clients_) {
    const short happened = ready[index++].revents;
    if (happened == 0) continue;
    if ((client.events() & POLLOUT) != 0) {
      client.write();
    } else {
      client.read([this](std::string_view line) { return answer(line); });
    }
  }
  if (ready[1].revents != 0) accept_clients();
  clients_.remove_if([](const Client& client) { return client.events() == 0; });
}

void ThreadedServer::run() {
  std::vector<pollfd> ready;
  while (wait(ready)) serve(ready);
  for (Client& client : clients_) client.write();
}

}  // namespace

Result<std::unique_ptr<ControlServer>> ControlServer::open(const std::string& path, Handlers handlers,
                                                           std::string& explanation) {
  LAMINA_ASSIGN(SocketName socket, SocketName::listen(path, explanation));
  auto end = sys::Wakeup::create();
  Status status = end.ok() ? Status() : Status(end.error());
  std::unique_ptr<ThreadedServer> server;
  if (status.ok()) {
    server = std::make_unique<ThreadedServer>(std::move(socket), std::move(handlers), std::move(*end));
    status = server->start();
  }
  if (status.ok()) return std::unique_ptr<ControlServer>(std::move(server));
  explanation = "control socket " + path + ": " + std::strerror(status.error().value);
  return status.error();
}

}  // namespace lamina::control
