// One client of the control socket: what it has sent and not ended with a newline, and what it has not yet taken.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "sys/file_descriptor.h"

namespace lamina::control {

class Client {
 public:
  // Answers a line, without its newline; the answer is with its own.
  using Answerer = std::function<std::string(std::string_view line)>;

  explicit Client(sys::FileDescriptor socket) : socket_(std::move(socket)) {}

  [[nodiscard]] int socket() const { return socket_.get(); }
  // The poll(2) events it waits for; 0 once it is done with.
  [[nodiscard]] short events() const;
  // Reads what is there and answers every whole line.
  void read(const Answerer& answer);
  void write();
  // Says why, and ends.
  void refuse(std::string_view message);

 private:
  void take_lines(const Answerer& answer);
  void fail() { failed_ = true; }

  sys::FileDescriptor socket_;
  std::string input_, output_;
  bool ended_ = false;   // it sends no more, or is heard no more
  bool failed_ = false;  // nothing can be sent
};

// {"ok":false,"error":MESSAGE} and a newline
std::string failure_line(std::string_view message);

}  // namespace lamina::control
