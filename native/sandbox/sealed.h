// Which file this program runs from.
#pragma once

namespace lamina::sandbox {

// Continues in a sealed copy of this program in memory: /proc/1/exe of a sandbox then does not lead to a file of the
// host (CVE-2019-5736). Returns if it runs from one already. Ends the process on failure.
void run_from_memory(char** arguments);

}  // namespace lamina::sandbox
