// The command of a sandbox: started, given the signals that come, waited for.
#pragma once

#include <sys/types.h>

#include "init/setup.h"

namespace lamina::init {

// All signals must be blocked. @param arguments ends with a null pointer
pid_t start_command(char* const* arguments, const Setup& setup);

// Passes signals on to the command and reaps every process that ends, until the command has. Gives its exit code, as a shell has
// it: 128 and the signal's number where one ended it.
int wait_for_command(pid_t command, const Setup& setup);

}  // namespace lamina::init
