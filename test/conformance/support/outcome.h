// What a system call did, and expectations about it.
#pragma once

#include <gtest/gtest.h>

#include <cerrno>

namespace conformance {

// `error` is 0 or the errno of the call that failed.
struct Outcome {
  long value = 0;
  int error = 0;
};

// Must be called right after the system call, before anything else can set errno.
inline Outcome outcome(long value) { return {value, value == -1 ? errno : 0}; }
inline Outcome outcome(Outcome already) { return already; }

// "EACCES (Permission denied)"; "success" for 0.
std::string error_text(int error);

::testing::AssertionResult succeeds(const char* expression, Outcome got);
::testing::AssertionResult fails_with(const char* error_name, const char* expression, int error, Outcome got);

}  // namespace conformance

// `call` is a system call's return value, or an Outcome (of a child).
#define EXPECT_OK(call) EXPECT_PRED_FORMAT1(::conformance::succeeds, ::conformance::outcome(call))
#define ASSERT_OK(call) ASSERT_PRED_FORMAT1(::conformance::succeeds, ::conformance::outcome(call))
#define EXPECT_ERRNO(error, call) EXPECT_PRED_FORMAT2(::conformance::fails_with, error, ::conformance::outcome(call))
