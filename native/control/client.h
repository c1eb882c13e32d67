// One client of the control socket: its unfinished input line, and the output that it has not yet read.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "sys/file_descriptor.h"

namespace lamina::control {

class Client {
 public:
  // Answers a line, passed without its newline; the answer includes one.
  using Answerer = std::function<std::string(std::string_view line)>;

  explicit Client(sys::FileDescriptor socket) : socket_(std::move(socket)) {}

  [[nodiscard]] int socket() const { return socket_.get(); }
  // The poll(2) events it waits for; 0 once it is done with.
  [[nodiscard]] short events() const;
  // Reads what is there and answers every whole line.
  void read(const Answerer& answer);
  void write();
  // Sends the reason, and ends.
  void refuse(std::string_view message);

 private:
  void take_lines(const Answerer& answer);
  void fail() { failed_ = true; }

  sys::FileDescriptor socket_;
  std::string input_, output_;
  bool ended_ = false;   // it sends no more, or is read no more
  bool failed_ = false;  // nothing can be sent
};

// {"ok":false,"error":MESSAGE} and a newline
std::string failure_line(std::string_view message);

}  // namespace lamina::control
