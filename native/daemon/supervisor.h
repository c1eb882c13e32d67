// A process that starts the worker of a mount and, when that dies, another one. It holds all that must outlive a
// worker: the table of descriptors, which they share, and the memory of inodes and requests; and does nothing else.
#pragma once

#include <functional>
#include <string>

#include "daemon/mount.h"
#include "daemon/options.h"

namespace lamina::daemon {

// Begins to serve a mount (or continues, `again`), and ends with it; returns the exit code. `ready` as of serve().
int run_worker(Mount& mount, const DaemonOptions& options, const std::function<void(const std::string&)>& ready,
               bool again);

// The same in a process of its own, which is replaced when it dies. The mount ends where replacement fails: after
// `most_deaths` within `deaths_within_seconds`, or where the kernel cannot resend requests (before Linux 6.9).
int supervise(Mount& mount, const DaemonOptions& options, const std::function<void(const std::string&)>& ready);

inline constexpr int most_deaths = 5, deaths_within_seconds = 10;

}  // namespace lamina::daemon
