// One way to the kernel: a /dev/fuse descriptor, or a socket in its place for tests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "sys/file_descriptor.h"
#include "sys/result.h"

namespace lamina::fuse {

class Channel {
 public:
  explicit Channel(sys::FileDescriptor descriptor) : descriptor_(std::move(descriptor)) {}

  // A channel of its own for another thread, on the same mount (FUSE_DEV_IOC_CLONE).
  [[nodiscard]] sys::Result<Channel> clone() const;

  // Waits for a request and gives its bytes in `buffer`. ENODEV once the mount is gone. Interrupted and withdrawn requests are
  // passed over.
  sys::Result<std::size_t> receive(std::span<std::byte> buffer) const;
  // Answers with a body. ENOENT, which means that nobody waits for the answer any more, is success.
  [[nodiscard]] sys::Status reply(std::uint64_t unique, std::span<const std::byte> body) const;
  // Answers with two parts of a body, without joining them first.
  [[nodiscard]] sys::Status reply(std::uint64_t unique, std::span<const std::byte> head, std::span<const std::byte> body) const;
  [[nodiscard]] sys::Status reply_error(std::uint64_t unique, int error) const;
  [[nodiscard]] int descriptor() const { return descriptor_.get(); }

 private:
  sys::FileDescriptor descriptor_;
};

}  // namespace lamina::fuse
