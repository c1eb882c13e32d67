// The control socket: any bytes, in pieces. Each line is answered by one line of JSON that says whether it is done; a
// line that is too long is the last that is answered.
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "control/control_server.h"
#include "fuzz/input.h"
#include "sys/unix_socket.h"

namespace {

using lamina::control::Answer;
using lamina::control::ControlServer;
using lamina::control::Handlers;
using lamina::fuzz::Input;
using lamina::fuzz::require;
using nlohmann::json;

class Place {
 public:
  Place() : directory_((std::filesystem::temp_directory_path() / "lamina-fuzz-XXXXXX").string()) {
    require(::mkdtemp(directory_.data()) != nullptr);
    opened_ = lamina::sys::FileDescriptor(::open(directory_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    Handlers handlers;
    handlers["ping"] = [](std::string_view) { return Answer::object("{\"pid\": 12,\n \"mode\": \"stateless\"}"); };
    handlers["flush"] = [](std::string_view) { return Answer::done(); };
    handlers["fail"] = [](std::string_view line) { return Answer::failure("no \"journal\" \xff" + std::string(line)); };
    std::string explanation;
    auto server = ControlServer::open(directory_ + "/socket", std::move(handlers), explanation);
    require(server.ok());
    server_ = std::move(*server);
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  ~Place() {
    server_.reset();
    ::rmdir(directory_.c_str());
  }
  [[nodiscard]] lamina::sys::FileDescriptor connect() const {
    auto socket = lamina::sys::connect_at(opened_.get(), "socket");
    require(socket.ok());
    return std::move(*socket);
  }

 private:
  std::string directory_;
  lamina::sys::FileDescriptor opened_;
  std::unique_ptr<ControlServer> server_;
};

// Sends and receives at once, because the server reads no more until its answers are read; returns all answers at its
// end.
std::string exchange(int socket, const std::vector<std::string>& pieces) {
  std::string heard;
  std::size_t piece = 0;
  std::size_t sent = 0;
  bool sending = true;
  for (;;) {
    pollfd ready{socket, static_cast<short>(sending ? POLLIN | POLLOUT : POLLIN), 0};
    if (::poll(&ready, 1, -1) < 0) {
      require(errno == EINTR);  // libFuzzer's clock
      continue;
    }
    if ((ready.revents & POLLIN) != 0 || (ready.revents & POLLOUT) == 0) {
      std::array<char, 65536> buffer;
      const ssize_t length = ::recv(socket, buffer.data(), buffer.size(), MSG_DONTWAIT);
      // A server that has stopped reading may leave bytes unread.
      if (length == 0 || (length < 0 && errno == ECONNRESET)) return heard;
      require(length > 0 || errno == EAGAIN || errno == EINTR);
      if (length > 0) heard.append(buffer.data(), static_cast<std::size_t>(length));
      continue;
    }
    if (piece == pieces.size()) {
      sending = false;
      require(::shutdown(socket, SHUT_WR) == 0 || errno == ENOTCONN);
      continue;
    }
    const std::string& each = pieces[piece];
    const ssize_t length = ::send(socket, each.data() + sent, each.size() - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (length < 0 && (errno == EPIPE || errno == ECONNRESET)) sending = false;
    if (length > 0) sent += static_cast<std::size_t>(length);
    if (sent < each.size()) continue;
    ++piece;
    sent = 0;
  }
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

void check_answer(const std::string& asked, const std::string& answer) {
  const json document = json::parse(answer, nullptr, false);
  require(document.is_object() && document.contains("ok") && document["ok"].is_boolean());
  const bool done = document["ok"].get<bool>();
  require(answer.starts_with(done ? R"({"ok":true)" : R"({"ok":false,"error":)"));
  const json request = json::parse(asked, nullptr, false);
  const bool named = request.is_object() && request.contains("command") && request["command"].is_string();
  const std::string command = named ? request["command"].get<std::string>() : "";
  require(done == (command == "ping" || command == "flush"));
}

// Bytes, and among them whole commands and pieces that are repeated into long ones.
std::vector<std::string> pieces_from(Input& input) {
  static const std::array<std::string, 4> commands = {"{\"command\":\"ping\"}\n", "{\"command\":\"fail\"}\n",
                                                      "{\"more\":[1],\"command\":\"flush\"}",
                                                      "{\"command\":\"none\xff\"}\n"};
  std::vector<std::string> pieces;
  while (!input.empty()) {
    const std::uint8_t shape = input.byte();
    if (shape % 4 == 0) {
      pieces.push_back(commands[shape / 4 % commands.size()]);
      continue;
    }
    const std::string piece(input.bytes(1 + shape / 4));
    std::string repeated;
    for (std::size_t count = shape % 4 == 3 ? input.byte() * 8U + 1 : 1; count > 0; --count) repeated += piece;
    if (!repeated.empty()) pieces.push_back(std::move(repeated));
  }
  return pieces;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Place place;
  Input input(data, size);
  const std::vector<std::string> pieces = pieces_from(input);
  std::string all;
  for (const std::string& each : pieces) all += each;
  const std::vector<std::string> asked = lines_of(all);
  const auto socket = place.connect();
  const std::string heard = exchange(socket.get(), pieces);
  require(heard.empty() || heard.back() == '\n');
  const std::vector<std::string> answers = lines_of(heard);
  const auto is_long = [](const std::string& line) { return line.size() > ControlServer::longest_line; };
  const auto last = static_cast<std::size_t>(std::find_if(asked.begin(), asked.end(), is_long) - asked.begin());
  require(answers.size() == std::min(asked.size(), last + 1));
  for (std::size_t number = 0; number < std::min(answers.size(), last); ++number)
    check_answer(asked[number], answers[number]);
  if (last < asked.size()) require(answers.back().find("longer than") != std::string::npos);
  return 0;
}
