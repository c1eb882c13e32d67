// The messages of lamina-sandbox, and exit codes as in podman.
#pragma once

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

#include <unistd.h>

namespace lamina::sandbox {

constexpr int output_lost = 7;
constexpr int own_failure = 125;
constexpr int cannot_be_invoked = 126;
constexpr int not_found = 127;
constexpr int signal_base = 128;

inline void say(const std::string& what) {
  const std::string line = "lamina: " + what + "\n";
  // With standard error closed nothing can be reported.
  [[maybe_unused]] const auto written = write(STDERR_FILENO, line.data(), line.size());
}

inline void say(const std::string& what, int error) { say(what + ": " + strerror(error)); }

// Ends this process before the command has begun. A maker that fails so, or finds its first process ended so, has not
// written "started".
[[noreturn]] inline void fail(const std::string& what, int error = errno) {
  say(what, error);
  _exit(own_failure);
}

}  // namespace lamina::sandbox
