// What this machine can provide for a sandbox.
#pragma once

namespace lamina::sandbox {

// Probes, and writes a line for each feature to standard output: `users`, `processes`, `memory`, `processors` and
// `yes`, or `no` and the reason. As root.
// @param mount a mount of laminafs with idmap=on
int probe_machine(const char* mount);

}  // namespace lamina::sandbox
