#include <cstdio>
#include <string>
#include <vector>

#include "daemon/daemon.h"
#include "daemon/mark_choice.h"
#include "daemon/options.h"
#include "daemon/security_contexts.h"
#include "daemon/version.h"

int main(int argc, char** argv) {
  using namespace lamina::daemon;
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  std::string error;
  DaemonOptions options = parse_arguments(arguments, error);
  if (options.show_help) return std::fputs(help_text, stdout) < 0 ? 1 : 0;
  if (options.show_version) return std::printf("laminafs %s\n", version) < 0 ? 1 : 0;
  settle_contexts(options);
  for (const std::string& warning : options.warnings) std::fprintf(stderr, "laminafs: warning: %s\n", warning.c_str());
  if (!error.empty()) {
    std::fprintf(stderr, "laminafs: %s\n", error.c_str());
    return 2;
  }
  choose_marks(options);
  if (!options.foreground) return serve_in_background(options);
  return serve(options, [](const std::string& line) {
    if (!line.empty()) std::fprintf(stderr, "laminafs: %s\n", line.c_str());
  });
}
