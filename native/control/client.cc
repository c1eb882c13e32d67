#include "control/client.h"

#include <poll.h>

#include <array>
#include <nlohmann/json.hpp>

#include "control/control_server.h"
#include "sys/unix_socket.h"

namespace lamina::control {

std::string failure_line(std::string_view message) {
  // Built from its parts, so that "ok" comes first; bytes that are not UTF-8 are replaced.
  const nlohmann::json text(message);
  return R"({"ok":false,"error":)" + text.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "}\n";
}

short Client::events() const {
  if (failed_) return 0;
  if (!output_.empty()) return POLLOUT;  // reads no more until it has taken its answers
  return ended_ ? 0 : POLLIN;
}

void Client::read(const Answerer& answer) {
  std::array<std::byte, 16384> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): read up to `length` only
  const auto length = sys::receive(socket_.get(), buffer);
  if (length.failed_with(EAGAIN)) return;
  if (!length.ok()) return fail();
  input_.append(reinterpret_cast<const char*>(buffer.data()), *length);
  if (*length == 0) {
    ended_ = true;
    if (!input_.empty()) input_ += '\n';
  }
  take_lines(answer);
  write();
}

void Client::take_lines(const Answerer& answer) {
  std::size_t begin = 0;
  for (std::size_t end = input_.find('\n'); end != std::string::npos; end = input_.find('\n', begin)) {
    if (end - begin > ControlServer::longest_line) break;
    output_ += answer(std::string_view(input_).substr(begin, end - begin));
    begin = end + 1;
  }
  input_.erase(0, begin);
  if (input_.size() > ControlServer::longest_line) refuse("a request is longer than 65536 bytes");
}

void Client::refuse(std::string_view message) {
  output_ += failure_line(message);
  ended_ = true;
  input_.clear();
}

void Client::write() {
  while (!output_.empty() && !failed_) {
    const auto length = sys::send(socket_.get(), output_);
    if (length.failed_with(EAGAIN)) return;
    if (!length.ok()) return fail();
    output_.erase(0, *length);
  }
}

}  // namespace lamina::control
