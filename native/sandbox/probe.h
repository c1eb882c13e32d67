// What this machine can give a sandbox.
#pragma once

namespace lamina::sandbox {

// Tries it, and writes a line for each to standard output: `users`, `processes`, `memory`, `processors` and `yes`, or `no` and
// the reason. As root.
// @param mount a mount of laminafs with idmap=on
int probe_machine(const char* mount);

}  // namespace lamina::sandbox
