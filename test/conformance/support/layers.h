// Layers for the tests of overlays. Each such test says what the layers hold in its own directory:
//
//   LAYERS(OverlayCopyUp, KeepsTheMode) { make_file(bottom / "f", "old", 0750); }
//   TEST_F(OverlayCopyUp, KeepsTheMode) { … here / "f" … }
//
// `conformance --prepare DIRECTORY` makes DIRECTORY/top and DIRECTORY/bottom, which the mount under test has as its
// lowers, top first. They must be the same after the tests as before.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "support/path.h"
#include "support/scratch.h"

namespace conformance {

using PrepareLayers = void (*)(const Path& top, const Path& bottom);

// Registers what a test's layers hold; returns true.
bool register_layers(const std::string& test, PrepareLayers prepare);

void prepare_layers(const Path& directory);

// Marks, in the kernel overlayfs format.
void make_whiteout(const Path& path);
void make_opaque(const Path& directory);

// Fails the run where a layer changed: metadata (all but atime), content, xattrs.
class UntouchedLayers : public ::testing::Environment {
 public:
  void SetUp() override;
  void TearDown() override;

 private:
  std::string before_;
};

// `here` is the test's own directory, as its layers made it.
class Overlay : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override { expect_alive(); }
  static bool can_remount() { return !settings().remount.empty(); }

  Path here, top, bottom;
};

}  // namespace conformance

#define LAYERS(suite, test)                                                                                            \
  static void prepare_##suite##_##test(const ::conformance::Path& top, const ::conformance::Path& bottom);             \
  [[maybe_unused]] static const bool registered_##suite##_##test =                                                     \
      ::conformance::register_layers(#suite "." #test, prepare_##suite##_##test);                                      \
  static void prepare_##suite##_##test([[maybe_unused]] const ::conformance::Path& top,                                \
                                       [[maybe_unused]] const ::conformance::Path& bottom)
