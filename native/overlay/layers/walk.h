// All entries of a tree on disk, by its descriptors.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "sys/result.h"

namespace lamina::overlay {

struct WalkedEntry {
  int directory = -1;  // open
  std::string_view name;
  std::string path;        // from the root of the walk
  std::uint32_t type = 0;  // the S_IFMT bits
};

// Calls `each` for every entry below `root`, an open directory (O_PATH too), parents before their content, until it
// fails. Others may make and remove names meanwhile: such an entry may be reported or not. However deep the tree is, a
// few descriptors suffice.
sys::Status walk_tree(int root, const std::function<sys::Status(const WalkedEntry&)>& each);

}  // namespace lamina::overlay
