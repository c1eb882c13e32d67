// Directories and files that a sandbox is to have in what is mounted in its root.
#pragma once

#include "sandbox/spec.h"

namespace lamina::sandbox {

// Nobody else has written there yet. Ends the process where something cannot be made.
void make_directories_and_files(const Spec& spec);

}  // namespace lamina::sandbox
