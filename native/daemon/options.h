// The command line of laminafs, in the manner of fuse-overlayfs and mount(8).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "overlay/types.h"
#include "server/server.h"

namespace lamina::daemon {

struct DaemonOptions {
  overlay::Options overlay;
  server::ServerOptions server;
  std::string mountpoint;
  std::string source = "laminafs";
  std::string subtype = "laminafs";
  unsigned long mount_flags = 0;
  bool allow_other = true;
  bool foreground = false;
  bool show_help = false, show_version = false;
  std::string filter, journal, read_set, control;
  std::vector<std::string> warnings;  // unknown options: said and passed over
};

// `error` gets one line where the words make no sense; the result is then worth nothing.
DaemonOptions parse_arguments(const std::vector<std::string>& arguments, std::string& error);

// Splits at `separator`, a backslash taking the next character as it is. Empty items stay.
std::vector<std::string> split_escaped(std::string_view text, char separator, bool keep_escapes);

extern const char* const help_text;

}  // namespace lamina::daemon
