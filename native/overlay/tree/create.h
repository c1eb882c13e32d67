// What a new file inherits from its maker and its directory.
#pragma once

#include "overlay/tree/overlay.h"
#include "overlay/upper/acl.h"

namespace lamina::overlay {

struct NewAttributes {
  std::uint32_t uid = 0, gid = 0;
  bool inherits_group = false;  // the directory is setgid
  bool has_lists = false;       // access lists are involved
  Inherited inherited;
};

}  // namespace lamina::overlay
