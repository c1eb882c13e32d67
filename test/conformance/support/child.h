// Child processes: other users, other working directories, and things that happen at the same time.
#pragma once

#include <sys/types.h>

#include <functional>
#include <vector>

#include "support/outcome.h"

namespace conformance {

struct User {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
};

const gid_t staff = 2000;  // a group that alice is not in
inline const User alice{1001, 1001, {}};
inline const User bob{1002, 1002, {}};

// Does its work in the child; returns as a system call does: -1 with errno where it failed.
using Action = std::function<long()>;

// A running child. Waits for it at the latest when destroyed.
class Child {
 public:
  explicit Child(const Action& action);
  Child(const User& user, const Action& action);
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child();

  // What the action returned. A child that died of a signal fails the test.
  Outcome wait();
  // The signal that the child died of, or 0.
  int wait_for_signal();
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  int reap();

  pid_t pid_ = -1;
  int report_ = -1;  // read end of the pipe on which the outcome comes
};

inline Outcome in_child(const Action& action) { return Child(action).wait(); }
inline Outcome as(const User& user, const Action& action) { return Child(user, action).wait(); }

// One process waits in pass() until another has called open().
class Gate {
 public:
  Gate();
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;
  ~Gate();
  void open() const;
  void pass() const;

 private:
  int ends_[2] = {-1, -1};
};

// Starts `count` children at once, each with its number; the outcomes in order.
std::vector<Outcome> at_once(int count, const std::function<long(int)>& action);

}  // namespace conformance
