// Opens upper and work of a stack, and refuses those that cannot work.
#pragma once

#include <string>

#include "overlay/layers/marks.h"
#include "overlay/tree/overlay.h"

namespace lamina::overlay {

// An error, with one line for people in `explanation`.
sys::Errno refuse(std::string& explanation, const std::string& what, int error);
sys::Errno refuse_call(std::string& explanation, const std::string& what, sys::Errno error);

// Empties the work directory of what a dead driver left in it.
Result<OverlayDirectories> open_writable(const Options& options, const MarkNames& marks, std::string& explanation);

}  // namespace lamina::overlay
