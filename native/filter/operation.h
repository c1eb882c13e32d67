// The changing operations of the journal (docs/format-driver.md, "Journal") and their names there.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace lamina::filter {

enum class Operation : std::uint8_t {
  create,  // a regular file
  mkdir,
  symlink,
  mknod,
  link,
  unlink,
  rmdir,
  rename,
  exchange,
  write,
  truncate,
  chmod,
  chown,
  utimes,
  setxattr,
  removexattr,
  fallocate,
  copy_file_range,
};

// What an operation has besides the path of its object.
enum class Second : std::uint8_t {
  none,
  path,  // another path of the mount
  text,  // a symlink's target, an attribute's name
};

struct OperationFormat {
  Operation operation;
  std::string_view name;
  Second second = Second::none;
  bool moves = false;  // what is below the paths moves along
};

inline constexpr std::array operation_formats{
    OperationFormat{Operation::create, "create"},
    OperationFormat{Operation::mkdir, "mkdir"},
    OperationFormat{Operation::symlink, "symlink", Second::text},
    OperationFormat{Operation::mknod, "mknod"},
    OperationFormat{Operation::link, "link", Second::path},
    OperationFormat{Operation::unlink, "unlink"},
    OperationFormat{Operation::rmdir, "rmdir"},
    OperationFormat{Operation::rename, "rename", Second::path, true},
    OperationFormat{Operation::exchange, "exchange", Second::path, true},
    OperationFormat{Operation::write, "write"},
    OperationFormat{Operation::truncate, "truncate"},
    OperationFormat{Operation::chmod, "chmod"},
    OperationFormat{Operation::chown, "chown"},
    OperationFormat{Operation::utimes, "utimes"},
    OperationFormat{Operation::setxattr, "setxattr", Second::text},
    OperationFormat{Operation::removexattr, "removexattr", Second::text},
    OperationFormat{Operation::fallocate, "fallocate"},
    OperationFormat{Operation::copy_file_range, "copy_file_range"},
};

[[nodiscard]] constexpr const OperationFormat& format_of(Operation operation) {
  return operation_formats[static_cast<std::size_t>(operation)];
}

// A row stands at the place that its operation's number says.
static_assert([] {
  for (std::size_t row = 0; row < operation_formats.size(); ++row) {
    if (operation_formats[row].operation != static_cast<Operation>(row)) return false;
  }
  return operation_formats.back().operation == Operation::copy_file_range;
}());

}  // namespace lamina::filter
