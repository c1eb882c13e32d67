// conformance [--overlay LAYERS] [--links-apart] [--remount COMMAND] DIRECTORY [--gtest_…]
// judges the file system at DIRECTORY conformance --prepare LAYERS makes the layers for --overlay conformance
// --parallel SECONDS [--seed N] [--remount COMMAND] DIRECTORY lets processes work in one tree conformance --walk
// DIRECTORY prints the tree that --parallel left conformance --helper NAME … what tests run from the file system under
// test
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <string>
#include <system_error>
#include <vector>

#include "parallel/run.h"
#include "parallel/worker.h"
#include "support/helper.h"
#include "support/layers.h"
#include "support/scratch.h"

namespace conformance {
namespace {

const unsigned most_seconds_a_test = 120;

// The name of the running test, for the signal handler.
char running[256];

void give_up(int /*signal*/) {
  const char text[] = "\nconformance: this test hangs: ";
  bool written = ::write(STDERR_FILENO, text, sizeof text - 1) > 0;
  written = ::write(STDERR_FILENO, running, std::strlen(running)) > 0 && written;
  ::_exit(written ? 3 : 4);
}

// Ends a run that hangs, and says where.
class Watchdog : public ::testing::EmptyTestEventListener {
  void OnTestStart(const ::testing::TestInfo& test) override {
    std::snprintf(running, sizeof running, "%s.%s\n", test.test_suite_name(), test.name());
    ::alarm(most_seconds_a_test);
  }
  void OnTestEnd(const ::testing::TestInfo& /*test*/) override { ::alarm(0); }
};

int usage(const std::string& problem) {
  std::fprintf(stderr,
               "conformance: %s\n"
               "usage: conformance [--overlay LAYERS] [--links-apart] [--remount COMMAND] DIRECTORY\n"
               "                   [--gtest_filter=… --gtest_output=…]\n"
               "       conformance --parallel SECONDS [--seed N] [--remount COMMAND] DIRECTORY\n"
               "       conformance --prepare LAYERS | --walk DIRECTORY\n",
               problem.c_str());
  return 2;
}

// Runs every test, or without --overlay those that need no layers.
int judge(Settings settings) {
  const bool overlay = !settings.layers.text().empty();
  configure(std::move(settings));
  if (!overlay) {
    auto filter = ::testing::GTEST_FLAG(filter);
    filter += filter.find('-') == std::string::npos ? "-Overlay*" : ":Overlay*";
    ::testing::GTEST_FLAG(filter) = filter;
  } else {
    ::testing::AddGlobalTestEnvironment(new UntouchedLayers);
  }
  std::signal(SIGALRM, give_up);
  std::signal(SIGPIPE, SIG_IGN);
  ::testing::UnitTest::GetInstance()->listeners().Append(new Watchdog);
  return RUN_ALL_TESTS();
}

int prepare(const Path& layers) {
  prepare_layers(layers);
  make_parallel_tree(layers / "bottom/parallel", 0, 2);
  make_parallel_tree(layers / "top/parallel", 1, 2);
  return 0;
}

struct CommandLine {
  Settings settings;
  std::string unknown;
  unsigned parallel_seconds = 0, seed = 1;
};

CommandLine parse(const std::vector<std::string>& arguments) {
  CommandLine line;
  for (std::size_t at = 0; at < arguments.size(); ++at) {
    const std::string& argument = arguments[at];
    const bool more = at + 1 < arguments.size();
    if (argument == "--overlay" && more) {
      line.settings.layers = Path(arguments[++at]);
    } else if (argument == "--remount" && more) {
      line.settings.remount = arguments[++at];
    } else if (argument == "--links-apart") {
      line.settings.links_apart = true;
    } else if (argument == "--parallel" && more) {
      line.parallel_seconds = static_cast<unsigned>(std::stoul(arguments[++at]));
    } else if (argument == "--seed" && more) {
      line.seed = static_cast<unsigned>(std::stoul(arguments[++at]));
    } else if (argument.starts_with("-")) {
      line.unknown = argument;
    } else {
      line.settings.mount = Path(argument);
    }
  }
  return line;
}

int run(const std::vector<std::string>& arguments) {
  if (arguments.size() >= 2 && arguments[0] == "--helper") return run_helper({arguments.begin() + 1, arguments.end()});
  if (arguments.size() == 2 && arguments[0] == "--prepare") return prepare(Path(arguments[1]));
  if (arguments.size() == 2 && arguments[0] == "--walk") return print_tree(Path(arguments[1])), 0;
  CommandLine line = parse(arguments);
  if (!line.unknown.empty()) return usage("unknown option or missing value: " + line.unknown);
  if (::testing::GTEST_FLAG(list_tests)) return RUN_ALL_TESTS();
  if (line.settings.mount.text().empty()) return usage("the directory to judge is missing");
  if (::geteuid() != 0) return usage("other users' rights can only be tried as root");
  if (line.parallel_seconds == 0) return judge(std::move(line.settings));
  configure(std::move(line.settings));
  return run_parallel(line.parallel_seconds, line.seed);
}

}  // namespace
}  // namespace conformance

int main(int count, char** arguments) {
  ::umask(0);
  ::testing::InitGoogleTest(&count, arguments);
  try {
    return conformance::run({arguments + 1, arguments + count});
  } catch (const std::system_error& failure) {
    std::fprintf(stderr, "conformance: %s\n", failure.what());
    return 2;
  }
}
