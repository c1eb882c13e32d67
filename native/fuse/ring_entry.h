// One place in a queue of a mount that is served over io_uring (Linux 6.14,
// Documentation/filesystems/fuse/fuse-io-uring.rst): the kernel puts a request into its memory and takes the answer
// from there, with one system call for both.
#pragma once

#include <memory>

#include "fuse/channel.h"
#include "sys/command_ring.h"

namespace lamina::fuse {

class RingEntry {
 public:
  // For the calling thread alone, in the queue of one processor. `most` bytes is the largest request or answer, as
  // agreed by INIT (max_write). As sys::CommandRing::make.
  static sys::Result<std::unique_ptr<RingEntry>> make(const Channel& channel, unsigned processor, std::size_t most);
  RingEntry(const RingEntry&) = delete;
  RingEntry& operator=(const RingEntry&) = delete;
  ~RingEntry();

  // Submits the answer, and waits for the next request; returns its bytes, valid until it is answered. After INIT was
  // answered. ENODEV once the mount is gone, EINTR where a signal came.
  sys::Result<std::span<std::byte>> receive();
  // The kernel accepted no entry, so receive() failed at once: all requests arrive over the channels.
  [[nodiscard]] bool refused() const { return state_ == State::refused; }
  // Room for an answer, `most` bytes. An answer built there is not copied, if the request is no longer than its fixed
  // structure.
  [[nodiscard]] std::span<std::byte> room();

  // Answers with a body in two parts; once. EINVAL where there is no request, or the answer is too long.
  [[nodiscard]] sys::Status reply(std::uint64_t unique, std::span<const std::byte> head,
                                  std::span<const std::byte> body);
  [[nodiscard]] sys::Status reply_error(std::uint64_t unique, int error);

 private:
  struct Headers;
  RingEntry(sys::CommandRing ring, unsigned processor, std::size_t most);
  void prepare(std::uint32_t operation);
  sys::Result<std::span<std::byte>> take();
  void answer(std::uint64_t unique, int error, std::size_t size);

  sys::CommandRing ring_;
  unsigned processor_;
  std::size_t most_, mapped_ = 0;
  std::byte* memory_ = nullptr;  // a page for a request's head, the payload, and as much again for an answer
  std::byte* payload_ = nullptr;
  std::unique_ptr<Headers> headers_;
  std::size_t arguments_ = 0;  // bytes of the request that lie in the payload
  enum class State { fresh, registering, waiting, taken, answered, refused } state_ = State::fresh;
};

}  // namespace lamina::fuse
