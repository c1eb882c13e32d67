// The life of one mount: opened, mounted, served, ended.
#pragma once

#include <functional>
#include <string>

#include "daemon/options.h"

namespace lamina::daemon {

// Serves the mount until it ends; gives the exit code. `ready` is called once, with "" when the mount answers, or with
// one line with the reason of the failure; nothing is mounted then.
int serve(const DaemonOptions& options, const std::function<void(const std::string&)>& ready);

// Runs `serve` in the background: returns in the parent when the mount answers (0) or could not be made (1, after the
// line on stderr).
int serve_in_background(const DaemonOptions& options);

}  // namespace lamina::daemon
