// The command of a sandbox: started, sent the signals that arrive, waited for.
#pragma once

#include <sys/types.h>

#include "sandbox/spec.h"

namespace lamina::sandbox {

// All signals must be blocked. Standard input, output and error are the command's.
// @param arguments ends with a null pointer
pid_t start_command(char* const* arguments, const Spec& spec);

// Passes signals on to the command and reaps every process that ends, until the command has. Returns its exit code, as
// in a shell: 128 plus the signal's number where one ended it.
int wait_for_command(pid_t command);

}  // namespace lamina::sandbox
