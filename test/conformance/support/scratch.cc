#include "support/scratch.h"

#include <linux/magic.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <cstdlib>

namespace conformance {
namespace {

Settings& stored() {
  static Settings instance;
  return instance;
}

std::string name_of_this_test() {
  const ::testing::TestInfo& test = *::testing::UnitTest::GetInstance()->current_test_info();
  return std::string(test.test_suite_name()) + "." + test.name();
}

}  // namespace

const Settings& settings() { return stored(); }

void configure(Settings settings) { stored() = std::move(settings); }

void remount() {
  require(::chdir("/") == 0, "chdir /");
  const int state = std::system(settings().remount.c_str());  // NOLINT: the command is ours
  if (state != 0) {
    // Nothing that follows could be believed.
    std::fprintf(stderr, "conformance: the remount command failed (wait status %d): %s\n", state,
                 settings().remount.c_str());
    std::exit(2);
  }
}

void expect_alive() {
  struct statfs found {};
  if (::statfs(settings().mount, &found) == 0) return;
  ADD_FAILURE() << "the file system died: " << error_text(errno);
  if (!settings().remount.empty()) remount();
}

bool on_tmpfs() {
  struct statfs found {};
  require(::statfs(settings().mount, &found) == 0, "statfs " + settings().mount.text());
  return found.f_type == TMPFS_MAGIC;
}

void Scratch::SetUp() {
  here = settings().mount / name_of_this_test();
  if (exists(here)) remove_tree(here);
  make_directory(here, 0777);
}

void Scratch::TearDown() {
  expect_alive();
  if (exists(here)) remove_tree(here);
}

void Remounted::SetUp() {
  if (settings().remount.empty()) GTEST_SKIP() << "no --remount command was given";
  Scratch::SetUp();
}

}  // namespace conformance
