// One way to the kernel: a /dev/fuse descriptor, or a socket instead in tests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "sys/file_descriptor.h"
#include "sys/result.h"

namespace lamina::fuse {

class Channel {
 public:
  explicit Channel(sys::FileDescriptor descriptor) : descriptor_(std::move(descriptor)) {}

  // A separate channel for another thread, on the same mount (FUSE_DEV_IOC_CLONE).
  [[nodiscard]] sys::Result<Channel> clone() const;

  // Waits for a request and returns its bytes in `buffer`. ENODEV once the mount is gone; EINTR where a signal came.
  // Requests that were withdrawn meanwhile are skipped.
  sys::Result<std::size_t> receive(std::span<std::byte> buffer) const;
  // Answers with a body. ENOENT where the answer is no longer awaited, ENODEV where the mount is gone; EINVAL where the
  // kernel finds the answer malformed: the request then still waits.
  [[nodiscard]] sys::Status reply(std::uint64_t unique, std::span<const std::byte> body) const;
  // Answers with two parts of a body, without joining them first.
  [[nodiscard]] sys::Status reply(std::uint64_t unique, std::span<const std::byte> head,
                                  std::span<const std::byte> body) const;
  [[nodiscard]] sys::Status reply_error(std::uint64_t unique, int error) const;
  // Makes the kernel drop the cached attributes of a node (FUSE_NOTIFY_INVAL_INODE), not its data. ENOENT where it does
  // not know the node.
  [[nodiscard]] sys::Status invalidate_attributes(std::uint64_t node) const;
  // Registers the real file behind `descriptor` with the kernel, for answers to OPEN with passthrough
  // (FUSE_DEV_IOC_BACKING_OPEN). Writes through it use the capabilities that the thread has now. EPERM without
  // CAP_SYS_ADMIN; ELOOP where its file system is itself stacked on another.
  [[nodiscard]] sys::Result<std::int32_t> open_backing(int descriptor) const;
  // Drops the registration; files that are open with it stay open.
  [[nodiscard]] sys::Status close_backing(std::int32_t id) const;
  // As invalidate_attributes(), and the data too. Not from a worker: it may wait for requests to be answered.
  [[nodiscard]] sys::Status invalidate_node(std::uint64_t node) const;
  // Makes the kernel look a name up again before it is used (FUSE_NOTIFY_INVAL_ENTRY, FUSE_EXPIRE_ONLY). Not from a
  // worker, either.
  [[nodiscard]] sys::Status invalidate_name(std::uint64_t parent, std::string_view name) const;
  // Makes the kernel resend all requests that were read and not answered, before all others and marked
  // (FUSE_NOTIFY_RESEND, Linux 6.9).
  [[nodiscard]] sys::Status resend() const;
  // True: receive() would not block.
  [[nodiscard]] sys::Result<bool> pending() const;
  [[nodiscard]] int descriptor() const { return descriptor_.get(); }

 private:
  sys::FileDescriptor descriptor_;
};

// `first` and clones of it, `count` in all.
sys::Result<std::vector<Channel>> clone_channels(Channel first, std::size_t count);

}  // namespace lamina::fuse
