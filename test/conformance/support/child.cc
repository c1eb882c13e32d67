#include "support/child.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <memory>

#include "support/files.h"

namespace conformance {
namespace {

long become(const User& user) {
  if (::setgroups(user.groups.size(), user.groups.data()) != 0) return -1;
  if (::setresgid(user.gid, user.gid, user.gid) != 0) return -1;
  return ::setresuid(user.uid, user.uid, user.uid);
}

[[noreturn]] void run_and_report(const Action& action, int report) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::alarm(60);
  Outcome result;
  try {
    result = outcome(action());
  } catch (const std::system_error& failure) {
    result = {-1, failure.code().value()};
  }
  const bool sent = ::write(report, &result, sizeof result) == static_cast<ssize_t>(sizeof result);
  ::_exit(sent ? 0 : 1);
}

}  // namespace

Child::Child(const Action& action) {
  int ends[2];
  require(::pipe2(ends, O_CLOEXEC) == 0, "pipe");
  pid_ = ::fork();
  require(pid_ >= 0, "fork");
  if (pid_ == 0) run_and_report(action, ends[1]);
  ::close(ends[1]);
  report_ = ends[0];
}

Child::Child(const User& user, const Action& action)
    : Child([&]() -> long { return become(user) == 0 ? action() : -1; }) {}

Child::~Child() {
  if (pid_ > 0) reap();
  if (report_ >= 0) ::close(report_);
}

int Child::reap() {
  int state = 0;
  require(::waitpid(pid_, &state, 0) == pid_, "waitpid");
  pid_ = -1;
  return state;
}

Outcome Child::wait() {
  Outcome result;
  const bool reported = ::read(report_, &result, sizeof result) == static_cast<ssize_t>(sizeof result);
  const int state = reap();
  if (reported) return result;
  ADD_FAILURE() << "the child died: wait status " << state;
  return {-1, ECHILD};
}

int Child::wait_for_signal() {
  const int state = reap();
  return WIFSIGNALED(state) ? WTERMSIG(state) : 0;
}

Gate::Gate() { require(::pipe2(ends_, O_CLOEXEC) == 0, "pipe"); }

Gate::~Gate() {
  ::close(ends_[0]);
  ::close(ends_[1]);
}

void Gate::open() const { require(::write(ends_[1], "", 1) == 1, "write to a gate"); }

void Gate::pass() const {
  char byte = 0;
  require(::read(ends_[0], &byte, 1) == 1, "read from a gate");
}

std::vector<Outcome> at_once(int count, const std::function<long(int)>& action) {
  const Gate start;
  std::vector<std::unique_ptr<Child>> children;
  children.reserve(static_cast<std::size_t>(count));
  for (int number = 0; number < count; ++number) {
    children.push_back(std::make_unique<Child>([&start, &action, number] {
      start.pass();
      return action(number);
    }));
  }
  for (int number = 0; number < count; ++number) start.open();
  std::vector<Outcome> outcomes;
  for (const auto& child : children) outcomes.push_back(child->wait());
  return outcomes;
}

}  // namespace conformance
