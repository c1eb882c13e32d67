// The control socket of a mount (docs/format-driver.md, "Control socket"): one JSON object a line each way, served by a
// thread of its own.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "sys/result.h"

namespace lamina::control {

using sys::Result;
using sys::Status;

// The answer of a command.
struct Answer {
  bool ok = true;
  std::string text;  // a JSON object whose members go beside "ok":true; or the message of a failure

  static Answer object(std::string json) { return {true, std::move(json)}; }
  static Answer done() { return {true, "{}"}; }
  static Answer failure(std::string message) { return {false, std::move(message)}; }
};

// Runs on the server's thread, one at a time; `request` is the whole line. Its answer is sent before the server can be
// closed. Must not destroy the server.
using Handler = std::function<Answer(std::string_view request)>;
using Handlers = std::map<std::string, Handler, std::less<>>;

class ControlServer {
 public:
  static constexpr std::size_t longest_line = std::size_t{64} * 1024;
  static constexpr std::size_t most_clients = 64;

  // Makes the socket at `path` (any length, mode 0600) and starts the thread: call it after the last fork(2). A socket
  // that is there already is replaced if it has no listener, else EADDRINUSE; EEXIST where the name is not a socket.
  // Clients are served if they run as the owner of this process or as root. On failure `explanation` gets one line for
  // people.
  static Result<std::unique_ptr<ControlServer>> open(const std::string& path, Handlers handlers,
                                                     std::string& explanation);
  // Sends the answers that are due, ends the thread and removes the socket.
  virtual ~ControlServer() = default;
};

}  // namespace lamina::control
