// What the control socket answers, as JSON (docs/format.md).
#pragma once

#include <string>

#include "overlay/types.h"
#include "server/server.h"
#include "sys/result.h"

namespace lamina::daemon {

std::string ping_answer(const std::string& mountpoint, const std::string& mode);
std::string statistics_answer(const server::Statistics& statistics, const overlay::OverlayCounters& counters);
// `what`: what was tried, for the error's text.
std::string status_answer(const sys::Status& status, const std::string& what);

}  // namespace lamina::daemon
