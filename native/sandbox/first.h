// The first process of a sandbox.
#pragma once

#include <string>

#include "sandbox/relay.h"
#include "sandbox/root.h"
#include "sandbox/spec.h"

namespace lamina::sandbox {

struct First {
  const Spec& spec;
  const std::string& filter;
  // Without root it makes these mounts itself.
  const Taken* taken;
  const CommandEnds& ends;
  // One byte arrives when its users are mapped, another one when its limits are in force. The maker keeps the other end
  // as long as it lives.
  int go;
  // A socket that passes both sides of the terminal.
  int terminal;
  // Where "started" is written once the sandbox is complete.
  int status;
  bool own_users;
  char* const* arguments;
};

// Makes the sandbox from within and runs the command in it. All signals must be blocked.
[[noreturn]] void be_first(const First& first);

}  // namespace lamina::sandbox
