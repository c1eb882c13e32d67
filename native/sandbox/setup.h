// Directories and files to make below the mounts in a sandbox's root.
#pragma once

#include "sandbox/spec.h"

namespace lamina::sandbox {

// Call it before any other process writes there. Ends the process where something cannot be made.
void make_directories_and_files(const Spec& spec);

}  // namespace lamina::sandbox
