#include "support/outcome.h"

#include <cstring>
#include <string>

namespace conformance {

std::string error_text(int error) {
  if (error == 0) return "success";
  const char* name = ::strerrorname_np(error);
  return std::string(name != nullptr ? name : "errno " + std::to_string(error)) + " (" + ::strerror(error) + ")";
}

::testing::AssertionResult succeeds(const char* expression, Outcome got) {
  if (got.error == 0) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << expression << " should succeed, got " << error_text(got.error);
}

::testing::AssertionResult fails_with(const char* /*error_name*/, const char* expression, int error, Outcome got) {
  if (got.error == error) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << expression << " should fail with " << error_text(error) << ", got "
                                       << error_text(got.error);
}

}  // namespace conformance
