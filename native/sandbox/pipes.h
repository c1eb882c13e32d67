// Pipes between the processes of a sandbox.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include "sandbox/message.h"

namespace lamina::sandbox {

struct Pipe {
  int read_end = -1;
  int write_end = -1;
};

// Closed at exec.
inline Pipe make_pipe() {
  int ends[2] = {};
  if (pipe2(ends, O_CLOEXEC) != 0) fail("cannot make a pipe");
  return {ends[0], ends[1]};
}

}  // namespace lamina::sandbox
