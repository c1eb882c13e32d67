// The driver's own globs for JavaScript, so that both sides mean the same by a pattern, and neither takes long over a name.
#pragma once

#include <string>
#include <string_view>

#include "sys/result.h"

namespace lamina::addon {

// What is wrong with patterns, each ended by NUL: a line for a person; empty where nothing is.
std::string glob_fault(std::string_view patterns);
// Of each path, each ended by NUL, whether one of the patterns covers it: a byte, 1 or 0. Paths have no leading slash. EINVAL
// where `glob_fault` has something to say.
sys::Result<std::string> match_globs(std::string_view patterns, std::string_view paths);

}  // namespace lamina::addon
