// Reading directories (getdents64(2)).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "sys/result.h"

namespace lamina::sys {

struct DirectoryRecord {
  std::string_view name;  // valid during the call only; never "." or ".."
  std::uint64_t ino = 0;
  std::uint32_t type = 0;  // the S_IFMT bits, or 0 where the file system does not report it
};

// Calls `each` for every name of the directory, from its beginning, until it fails. `directory` is open for reading,
// and its offset is used: one reader at a time.
Status read_directory(int directory, const std::function<Status(const DirectoryRecord&)>& each);

// All names of the directory, as `read_directory` gives them: valid also while the directory changes.
Result<std::vector<std::string>> names_in(int directory);

}  // namespace lamina::sys
