// conformance [--overlay LAYERS] [--remount COMMAND] DIRECTORY [--gtest_…]   judges the file system at DIRECTORY
// conformance --prepare LAYERS                                               makes the layers for --overlay
// conformance --helper NAME …                                                what tests run from the file system under test
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <string>
#include <system_error>
#include <vector>

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
               "usage: conformance [--overlay LAYERS] [--remount COMMAND] DIRECTORY [--gtest_filter=… --gtest_output=…]\n"
               "       conformance --prepare LAYERS\n",
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

int run(const std::vector<std::string>& arguments) {
  Settings settings;
  for (std::size_t at = 0; at < arguments.size(); ++at) {
    const std::string& argument = arguments[at];
    const bool more = at + 1 < arguments.size();
    if (argument == "--helper" && more) return run_helper({arguments.begin() + static_cast<long>(at) + 1, arguments.end()});
    if (argument == "--prepare" && more) return prepare_layers(Path(arguments[at + 1])), 0;
    if (argument == "--overlay" && more) {
      settings.layers = Path(arguments[++at]);
    } else if (argument == "--remount" && more) {
      settings.remount = arguments[++at];
    } else if (argument.starts_with("-")) {
      return usage("unknown option or missing value: " + argument);
    } else {
      settings.mount = Path(argument);
    }
  }
  if (::testing::GTEST_FLAG(list_tests)) return RUN_ALL_TESTS();
  if (settings.mount.text().empty()) return usage("the directory to judge is missing");
  if (::geteuid() != 0) return usage("other users' rights can only be tried as root");
  return judge(std::move(settings));
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
