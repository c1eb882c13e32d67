// A line of the journal as bytes (docs/format-driver.md, "Journal").
#pragma once

#include <cstdint>
#include <string>

#include "filter/filter.h"
#include "sys/process.h"
#include "sys/status.h"

namespace lamina::filter {

// A line is its start and its rest: the number is known last.
[[nodiscard]] std::string line_start(std::uint64_t number);
// To the end of the line, that included.
[[nodiscard]] std::string line_rest(const Change& change, const sys::Process& process, sys::FileTime time);

// No line_start() is longer.
inline constexpr std::size_t longest_line_start = 32;

}  // namespace lamina::filter
