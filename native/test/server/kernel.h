// The kernel's side of a FUSE connection, over a socket: sends requests and reads their answers.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "fuse/abi.h"
#include "fuse/abi_messages.h"

namespace lamina::test {

namespace abi = fuse::abi;

struct Answer {
  int error = 0;
  std::string body;
  // The body as a message; what is missing of it is zero.
  template <typename Message>
  [[nodiscard]] Message as() const {
    Message message{};
    std::memcpy(&message, body.data(), std::min(sizeof message, body.size()));
    return message;
  }
};

class Kernel {
 public:
  Kernel() {
    int ends[2] = {};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) std::abort();
    ours_ = ends[0];
    theirs_ = ends[1];
  }
  Kernel(const Kernel&) = delete;
  Kernel& operator=(const Kernel&) = delete;
  ~Kernel() { ::close(ours_); }

  // The server's end, which it will close.
  [[nodiscard]] int server_end() const { return theirs_; }

  template <typename Message>
  static std::string bytes(const Message& message) {
    return {reinterpret_cast<const char*>(&message), sizeof message};
  }
  static std::string name(std::string_view text) { return std::string(text) + '\0'; }

  // Sends a request; gives its number.
  std::uint64_t send(abi::Opcode opcode, std::uint64_t node, const std::string& body, std::uint32_t uid = 0) {
    abi::InHeader header{};
    header.len = static_cast<std::uint32_t>(sizeof header + body.size());
    header.opcode = static_cast<std::uint32_t>(opcode);
    header.unique = next_ += 2;
    header.nodeid = node;
    header.uid = uid;
    header.pid = static_cast<std::uint32_t>(::getpid());
    last_ = bytes(header) + body;
    send_raw(last_);
    return header.unique;
  }
  void send_raw(const std::string& message) {
    ASSERT_EQ(::send(ours_, message.data(), message.size(), 0), static_cast<ssize_t>(message.size()));
  }
  // The next answer, which must be that to the request.
  Answer answer(std::uint64_t unique) {
    ssize_t size = 0;
    abi::OutHeader header{};
    do {  // notifications are answers to no request
      size = ::recv(ours_, buffer_.data(), buffer_.size(), 0);
      if (size >= static_cast<ssize_t>(sizeof header)) std::memcpy(&header, buffer_.data(), sizeof header);
    } while (size >= static_cast<ssize_t>(sizeof header) && header.unique == 0);
    EXPECT_GE(size, static_cast<ssize_t>(sizeof(abi::OutHeader)));
    if (size < static_cast<ssize_t>(sizeof(abi::OutHeader))) return {EIO, ""};
    EXPECT_EQ(header.unique, unique);
    EXPECT_EQ(header.len, static_cast<std::uint32_t>(size));
    return {-header.error, buffer_.substr(sizeof header, static_cast<std::size_t>(size) - sizeof header)};
  }
  // Sends the last request again, marked as the kernel does it (FUSE_NOTIFY_RESEND); gives its number.
  std::uint64_t send_again() {
    abi::InHeader header{};
    std::memcpy(&header, last_.data(), sizeof header);
    header.unique |= abi::unique_resend;
    std::memcpy(last_.data(), &header, sizeof header);
    send_raw(last_);
    return header.unique;
  }
  // Waits for an answer that is not a notification, which are passed over; false where none is there after so long.
  [[nodiscard]] bool answered(int milliseconds) const {
    for (;;) {
      pollfd poll{ours_, POLLIN, 0};
      if (::poll(&poll, 1, milliseconds) <= 0) return false;
      abi::OutHeader header{};
      if (::recv(ours_, &header, sizeof header, MSG_PEEK) < static_cast<ssize_t>(sizeof header)) return false;
      if (header.unique != 0) return true;
      ::recv(ours_, &header, sizeof header, 0);
    }
  }
  Answer ask(abi::Opcode opcode, std::uint64_t node, const std::string& body = "", std::uint32_t uid = 0) {
    return answer(send(opcode, node, body, uid));
  }

 private:
  int ours_ = -1, theirs_ = -1;
  std::uint64_t next_ = 0;
  std::string last_;
  std::string buffer_ = std::string(1U << 20U, '\0');
};

}  // namespace lamina::test
