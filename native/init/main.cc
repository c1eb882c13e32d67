// The first process in a sandbox (docs/architecture.md, "The sandbox"), as bubblewrap starts it there:
//
//   lamina-init SETUP STATUS COMMAND [ARGUMENT…]
//
// SETUP and STATUS are open descriptors: what the sandbox is to have, and where "started" is written once all of it is there.
// Ends with the command's exit code: 126 where that cannot be invoked, 127 where it is not found, 125 where the sandbox could not
// be made; and all that is left in the sandbox ends with it, as the kernel has it of a first process.
#include <csignal>
#include <cstdlib>

#include <sys/stat.h>
#include <unistd.h>

#include "init/command.h"
#include "init/message.h"
#include "init/privileges.h"
#include "init/setup.h"

namespace {

using namespace lamina::init;

constexpr int least_arguments = 4;
constexpr mode_t command_umask = 022;
constexpr char started[] = "started\n";

// The kernel drops a signal to a first process that neither handles nor blocks it.
void block_signals() {
  sigset_t all;
  sigfillset(&all);
  if (sigprocmask(SIG_SETMASK, &all, nullptr) != 0) fail("cannot block signals");
}

}  // namespace

int main(int count, char** arguments) {
  if (count < least_arguments) fail("lamina-init: too few arguments", EINVAL);
  const int setup_file = atoi(arguments[1]);
  const int status_file = atoi(arguments[2]);
  block_signals();
  umask(0);
  const Setup setup = make_setup(setup_file);
  umask(command_umask);
  limit_inherited_capabilities();
  if (write(status_file, started, sizeof started - 1) < 0) fail("cannot report that the sandbox is there");
  close(setup_file);
  close(status_file);
  return wait_for_command(start_command(arguments + least_arguments - 1, setup), setup);
}
