// An io_uring(7) for device commands (IORING_OP_URING_CMD), one at a time: it serves a FUSE mount's queues.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "sys/file_descriptor.h"
#include "sys/result.h"

struct io_uring_params;  // linux/io_uring.h

namespace lamina::sys {

// A command defined by its device.
struct Command {
  std::uint32_t operation = 0;
  const void* address = nullptr;  // and `length`: their meaning depends on the device
  std::uint32_t length = 0;
  std::span<const std::byte> arguments;  // at most CommandRing::most_arguments bytes
};

class CommandRing {
 public:
  static constexpr std::size_t most_arguments = 80;  // what fits in an entry of 128 bytes

  // A ring of the calling thread's own, for commands to one device. No other thread may use it. ENOSYS or EPERM where
  // the kernel or its administrator (kernel.io_uring_disabled) denies it, EINVAL where the kernel is older than 6.1.
  static Result<CommandRing> make(int device);
  CommandRing(CommandRing&& other) noexcept;
  CommandRing& operator=(CommandRing&&) = delete;
  ~CommandRing();

  // Puts a command in the ring; wait() hands it to the kernel. Nothing else may be under way.
  void prepare(const Command& command);
  // Waits for the command's result, as the device returns it: a negative errno on failure. EINTR where a signal came:
  // wait again.
  Result<std::int32_t> wait();

 private:
  CommandRing() = default;
  Status map(const io_uring_params& parameters);

  FileDescriptor descriptor_;
  std::byte* rings_ = nullptr;  // of submissions and completions, one mapping
  std::byte* entry_ = nullptr;
  std::size_t rings_size_ = 0, entries_size_ = 0;
  std::uint32_t *submission_tail_ = nullptr, *completion_head_ = nullptr, *completion_tail_ = nullptr;
  std::uint32_t completion_mask_ = 0;
  std::byte* completions_ = nullptr;
  unsigned pending_ = 0;  // prepared, not yet passed to the kernel
};

}  // namespace lamina::sys
