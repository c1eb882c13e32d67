// The process outside of a sandbox that makes it, relays its input and output, and waits for its end.
#pragma once

namespace lamina::sandbox {

struct Descriptors {
  int filter;
  int setup;
  int status;
  int information;
};

// All signals must be blocked. @param arguments of the command, with a null pointer at the end
int make_sandbox(const Descriptors& descriptors, char* const* arguments);

}  // namespace lamina::sandbox
