// The driver's own globs for JavaScript, so that both sides match alike, in bounded time.
#pragma once

#include <string>
#include <string_view>

#include "sys/result.h"

namespace lamina::addon {

// The error in patterns, each ended by NUL: a line for people; empty: none.
std::string glob_fault(std::string_view patterns);
// Of each path, each ended by NUL, whether one of the patterns covers it: a byte, 1 or 0. Paths have no leading slash.
// EINVAL where `glob_fault` reports an error.
sys::Result<std::string> match_globs(std::string_view patterns, std::string_view paths);

}  // namespace lamina::addon
