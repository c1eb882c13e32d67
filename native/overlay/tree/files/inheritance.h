// What a new file inherits from its maker and its directory.
#pragma once

#include <cstdint>

#include "overlay/file_system.h"
#include "overlay/inodes/inode.h"
#include "overlay/upper/acl.h"
#include "overlay/upper/upper_owners.h"

namespace lamina::overlay {

// Owner, mode and access lists of a new file.
struct NewAttributes {
  std::uint32_t uid = 0, gid = 0;
  bool inherits_group = false;  // the directory is setgid
  bool has_lists = false;       // access lists are involved
  Inherited inherited;
};

// Of a file of that mode (type and permission bits) in a directory, which has its upper at `descriptor`.
Result<NewAttributes> new_attributes(Inode& directory, int descriptor, const UpperOwners& owners, std::uint32_t mode,
                                     const Caller& caller);

// Called after a change to what a directory hands down.
void forget_inherited_attributes(Inode& directory);

}  // namespace lamina::overlay
