// The fixtures: where a test works, and what it may know about the mount.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "support/child.h"
#include "support/files.h"
#include "support/outcome.h"
#include "support/path.h"

namespace conformance {

// What the command line says. Set once, before the tests run.
struct Settings {
  Path mount;                // the directory under test
  Path layers;               // --overlay: holds the lowers `top` and `bottom` of the mount, for looking at; else empty
  std::string remount;       // --remount: a command that unmounts and mounts again; else empty
  bool links_apart = false;  // --links-apart: no index says which names of a lower are links of each other
};
const Settings& settings();
void configure(Settings settings);

// Unmounts the file system under test and mounts it again. No descriptor may be open on it.
void remount();

// Fails the test where the file system under test has died, and mounts it again where that can be done.
void expect_alive();

// True where the file system under test is a tmpfs, which lacks some operations.
bool on_tmpfs();

// Gives each test a fresh directory of its own (0777, umask 0), removed at its end.
class Scratch : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  Path here;
};

// As Scratch; skipped where the mount cannot be mounted again.
class Remounted : public Scratch {
 protected:
  void SetUp() override;
};

}  // namespace conformance

#define SKIP_ON_TMPFS(reason)                                                                                          \
  if (::conformance::on_tmpfs()) GTEST_SKIP() << "tmpfs: " reason
