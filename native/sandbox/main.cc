// Makes a sandbox (docs/sandbox.md) and runs a command in it:
//
//   lamina-sandbox FILTER SETUP STATUS INFORMATION COMMAND [ARGUMENT…]
//
// The first four are open descriptors: the filter of system calls (sandbox/privileges.h), the specification of the
// sandbox (sandbox/spec.h), where "started" is written once it is complete, and where the number of its first process
// is written. Ends with the command's exit code: 126 where that cannot be invoked, 127 where it is not found, 125 where
// the sandbox could not be made; and everything left in the sandbox ends with it, as the kernel kills a PID namespace
// with its first process.
//
//   lamina-sandbox --probe MOUNT
//
// reports what this machine can provide for a sandbox (sandbox/probe.h).
//
//   lamina-sandbox --enter STATE UIDS GIDS COMMAND [ARGUMENT…]
//
// runs a command as root of an ordinary user's subordinate ids (sandbox/enter.h).
#include <csignal>
#include <cstdlib>

#include "sandbox/enter.h"
#include "sandbox/maker.h"
#include "sandbox/message.h"
#include "sandbox/probe.h"
#include "sandbox/sealed.h"

namespace {

using namespace lamina::sandbox;

constexpr int least_arguments = 6;

void block_signals() {
  sigset_t all;
  sigfillset(&all);
  if (sigprocmask(SIG_SETMASK, &all, nullptr) != 0) fail("cannot block signals");
}

}  // namespace

int main(int count, char** arguments) {
  constexpr int probe_arguments = 3;
  if (count == probe_arguments && strcmp(arguments[1], "--probe") == 0) return probe_machine(arguments[2]);
  constexpr int enter_arguments = 6;
  if (count >= enter_arguments && strcmp(arguments[1], "--enter") == 0) enter_users(arguments + 2);
  if (count < least_arguments) fail("lamina-sandbox: too few arguments", EINVAL);
  run_from_memory(arguments);
  block_signals();
  const Descriptors descriptors = {atoi(arguments[1]), atoi(arguments[2]), atoi(arguments[3]), atoi(arguments[4])};
  return make_sandbox(descriptors, arguments + least_arguments - 1);
}
