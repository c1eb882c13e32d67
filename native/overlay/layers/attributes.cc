#include "overlay/layers/attributes.h"

#include <sys/stat.h>

namespace lamina::overlay {

Attributes to_attributes(const sys::FileStatus& status) {
  Attributes attributes;
  attributes.size = status.size;
  attributes.blocks = status.blocks;
  attributes.atime = to_timestamp(status.atime);
  attributes.mtime = to_timestamp(status.mtime);
  attributes.ctime = to_timestamp(status.ctime);
  attributes.btime = to_timestamp(status.btime);
  attributes.mode = status.mode;
  attributes.nlink = status.nlink;
  attributes.uid = status.uid;
  attributes.gid = status.gid;
  attributes.rdev_major = status.rdev_major;
  attributes.rdev_minor = status.rdev_minor;
  attributes.block_size = status.block_size;
  return attributes;
}

void show_as_device(Attributes& attributes) {
  attributes.mode = S_IFCHR | (attributes.mode & ~std::uint32_t{S_IFMT});
  attributes.rdev_major = attributes.rdev_minor = 0;
}

sys::FileStatus as_device(sys::FileStatus status) {
  status.mode = S_IFCHR | (status.mode & ~std::uint32_t{S_IFMT});
  status.rdev_major = status.rdev_minor = 0;
  return status;
}

}  // namespace lamina::overlay
