// The machine's processors, by their numbers.
#pragma once

#include <vector>

#include "sys/result.h"

namespace lamina::sys {

// How many there could ever be: one more than the highest number (/sys/devices/system/cpu/possible). ENOENT without
// sysfs.
Result<unsigned> possible_processors();
// Those on which this process may run (sched_getaffinity(2)).
std::vector<unsigned> usable_processors();
// Pins the calling thread to one processor if it may run there; else changes nothing.
void prefer_processor(unsigned processor);

}  // namespace lamina::sys
