// The command line: any words.
#include <string>
#include <vector>

#include "daemon/options.h"
#include "fuzz/input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  lamina::fuzz::Input input(data, size);
  std::vector<std::string> words;
  while (!input.empty()) {
    std::string word(input.text());
    // Would read any file that the fuzzer names.
    if (word.find("optionsfile") == std::string::npos && word.find("options-file") == std::string::npos) {
      words.push_back(std::move(word));
    }
  }
  std::string error;
  const auto options = lamina::daemon::parse_arguments(words, error);
  if (!error.empty() || options.show_help || options.show_version) return 0;
  // What parses can be mounted: there is something to mount and a place for it.
  lamina::fuzz::require(!options.mountpoint.empty() && !options.overlay.lowers.empty());
  lamina::fuzz::require(options.overlay.upper.empty() == options.overlay.work.empty());
  for (const auto& lower : options.overlay.lowers) lamina::fuzz::require(!lower.tree.empty());
  return 0;
}
