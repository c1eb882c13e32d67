// The root directory of a layer, held by a descriptor: everything in the layer is reached from it.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "overlay/layers/layer.h"
#include "sys/file_descriptor.h"
#include "sys/result.h"

namespace lamina::overlay {

class LayerRoot {
 public:
  // Through a private clone of the mount, read-only and without access times. Without the privilege for that, the
  // directory itself, and O_NOATIME where permitted. On failure `explanation` gets one line for people.
  static Result<LayerRoot> open(const std::string& tree, std::string& explanation);

  // Opens a path beneath the root; "" is the root. Never follows symlinks.
  Result<sys::FileDescriptor> open(std::string_view path, int flags) const;
  // Opens a child of a directory that was opened beneath this root.
  Result<sys::FileDescriptor> open_child(int directory, std::string_view name, int flags) const;
  [[nodiscard]] int descriptor() const { return descriptor_.get(); }

 private:
  LayerRoot(sys::FileDescriptor descriptor, bool cloned) : descriptor_(std::move(descriptor)), cloned_(cloned) {}

  sys::FileDescriptor descriptor_;
  bool cloned_ = false;
};

// st_ino in the mount: the layer's position above a number that is unique in the layer.
inline constexpr unsigned ino_position_shift = 40;
inline std::uint64_t ino_of(std::uint32_t position, std::uint64_t number) {
  return (std::uint64_t{position} << ino_position_shift) | number;
}

}  // namespace lamina::overlay
