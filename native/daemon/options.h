// The command line of laminafs, in the manner of fuse-overlayfs and mount(8).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "filter/filter.h"
#include "overlay/types.h"
#include "server/server.h"

namespace lamina::daemon {

struct DaemonOptions {
  overlay::Options overlay;
  server::ServerOptions server;
  filter::FilterOptions filter;
  std::size_t threads = 0;  // 0: server::default_workers()
  std::string mountpoint;
  std::string mountpoint_at;  // a path that stays valid if the directory is renamed: /proc/PID/fd/N; or empty
  std::string source = "laminafs";
  std::string subtype = "laminafs";
  unsigned long mount_flags = 0;  // MS_* of mount(2)
  std::string security_contexts;  // options for the kernel's security module, each after a comma
  std::uint32_t max_read = 0;
  bool allow_other = false;  // by default where the process is root
  bool foreground = false;
  bool has_indexes = false;  // lowerindex= was given
  bool supervise = false;    // a worker that dies is replaced, and the mount stays
  bool debug = false;        // every request is logged to stderr
  bool show_help = false, show_version = false;
  std::string control;                // path of the control socket, or empty
  std::vector<std::string> warnings;  // unknown options: reported and ignored
};

// `error` gets one line where the words are invalid; the result must not be used then.
DaemonOptions parse_arguments(const std::vector<std::string>& arguments, std::string& error);

// Why these options do not go together; null where they do.
const char* incompatibility(const DaemonOptions& options);

extern const char* const help_text;

}  // namespace lamina::daemon
