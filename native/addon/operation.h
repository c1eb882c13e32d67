// An operation as JavaScript sees it: arguments in, a value or an errno out. Knows nothing of N-API.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "addon/syscalls.h"

namespace lamina::addon {

// The arguments in their order, split by kind. The signature of the operation lists them.
struct Arguments {
  std::vector<Target> targets;
  std::vector<std::string> strings;
  std::vector<std::int64_t> numbers;
  // Bytes that JavaScript keeps as they are until the call has ended.
  std::vector<std::string_view> views;
};

using Value = std::variant<std::monostate, std::int64_t, std::string>;

struct Operation {
  const char* name;
  // One character an argument: `t` a path (Buffer) or a descriptor (number), `s` bytes without NUL (Buffer), `b` any
  // bytes (Buffer), `i` a whole number (number or bigint), `v` bytes that are not copied (Buffer, or an array of them).
  std::string_view signature;
  sys::Result<Value> (*run)(const Arguments&);
};

std::span<const Operation> operations();

}  // namespace lamina::addon
