// Passes on what a command reads and writes. It has pipes or a terminal of its own, so that it cannot reach our
// descriptors: an open file can be reopened through /proc/self/fd, for writing as well.
#pragma once

#include <poll.h>
#include <termios.h>

#include <string>
#include <vector>

#include "sandbox/spec.h"

namespace lamina::sandbox {

// The ends that the command gets as 0, 1 and 2; -1: none.
struct CommandEnds {
  int input = -1;
  int output = -1;
  int error = -1;
};

class Relay {
 public:
  explicit Relay(const Spec& spec);
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  const CommandEnds& ends() const { return ends_; }

  // Call it after the first process has received them.
  void close_ends();

  // For a terminal that was given to the command; ours is in raw mode from now on.
  // @param master, other the two sides of a pseudo terminal
  void begin_terminal(int master, int other);

  // The descriptors to wait for, for poll(2).
  void add_to(pollfd* waits, std::size_t& count) const;

  // Transfers what it can without blocking.
  void go_on(const pollfd* waits, std::size_t count);

  // The size of our terminal has changed.
  void resize() const;

  // Call it when no process of the command is left: passes on what it has written, and returns unread input.
  void finish();

  // In milliseconds; -1: as long as nothing happens.
  int patience() const;

  bool has_lost_output() const { return lost_; }

 private:
  struct Channel {
    int from = -1;
    int to = -1;
    const char* name = "";
    bool is_input = false;
    std::string waiting;
  };
  bool may_read(const Channel& channel) const;
  void receive(Channel& channel);
  void send(Channel& channel);
  void end(Channel& channel);
  void drain(Channel& channel);
  void give_back(const Channel& channel) const;
  void restore_terminal() const;

  CommandEnds ends_;
  // For a pipe that carries a file: reports how much is left in it when the command has ended.
  int unread_ = -1;
  std::vector<Channel> channels_;
  bool on_terminal_ = false;
  int master_ = -1;
  int other_ = -1;
  termios before_ = {};
  bool lost_ = false;
};

}  // namespace lamina::sandbox
