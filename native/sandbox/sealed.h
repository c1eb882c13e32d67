// Which file this program runs from.
#pragma once

namespace lamina::sandbox {

// Goes on in a copy of this program that lies in memory and is sealed: what /proc/1/exe of a sandbox leads to is then no file of
// the host (CVE-2019-5736). Returns where that is so already. Ends the process where it cannot be made so.
void run_from_memory(char** arguments);

}  // namespace lamina::sandbox
