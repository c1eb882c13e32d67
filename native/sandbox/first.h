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
  // Without root it takes the mounts itself.
  const Taken* taken;
  const CommandEnds& ends;
  // A byte comes when its users are there, another one when its bounds hold. The maker keeps the other end for as long as it
  // lives.
  int go;
  // A socket that takes both sides of the terminal.
  int terminal;
  // Where "started" is written once all of the sandbox is there.
  int status;
  bool own_users;
  char* const* arguments;
};

// Makes the sandbox from within and runs the command in it. All signals must be blocked.
[[noreturn]] void be_first(const First& first);

}  // namespace lamina::sandbox
