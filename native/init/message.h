// What lamina-init says, and the exit codes that podman gave their meaning.
#pragma once

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

#include <unistd.h>

namespace lamina::init {

constexpr int own_failure = 125;
constexpr int cannot_be_invoked = 126;
constexpr int not_found = 127;

inline void say(const std::string& what, int error) {
  const std::string line = "lamina: " + what + ": " + strerror(error) + "\n";
  // Where standard error is closed nobody can be told.
  [[maybe_unused]] const auto written = write(STDERR_FILENO, line.data(), line.size());
}

// Ends the sandbox before the command has begun.
[[noreturn]] inline void fail(const std::string& what, int error = errno) {
  say(what, error);
  _exit(own_failure);
}

}  // namespace lamina::init
