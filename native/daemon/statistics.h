// The answers of the control socket (docs/format-driver.md, "Control socket").
#pragma once

#include <string>

#include "control/control_server.h"

#include "control/control_server.h"
#include "overlay/types.h"
#include "server/server.h"
#include "sys/result.h"

namespace lamina::daemon {

control::Answer ping_answer(const std::string& mountpoint, const std::string& mode, const std::string& requests);
control::Answer statistics_answer(const server::Statistics& statistics, const overlay::OverlayCounters& counters);
// `what`: what was tried, for the error's text.
control::Answer status_answer(const sys::Status& status, const std::string& what);

}  // namespace lamina::daemon
