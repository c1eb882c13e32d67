// One request until its answer.
#pragma once

#include <atomic>
#include <functional>
#include <span>
#include <string>

#include "filter/filter.h"
#include "fuse/abi_messages.h"
#include "fuse/channel.h"
#include "fuse/request.h"
#include "fuse/ring_entry.h"
#include "overlay/file_system.h"
#include "server/request_slots.h"
#include "sys/result.h"

namespace lamina::server {

namespace abi = fuse::abi;

// Gets one line for every request that was answered.
using Trace = std::function<void(const std::string& line)>;

// Where a request came from, and its answer goes.
struct Way {
  const fuse::Channel* channel;      // null: the answer is not awaited
  fuse::RingEntry* entry = nullptr;  // if it came over io_uring

  [[nodiscard]] sys::Status reply(std::uint64_t unique, std::span<const std::byte> head, std::span<const std::byte> body) const {
    if (entry != nullptr) return entry->reply(unique, head, body);
    return channel != nullptr ? channel->reply(unique, head, body) : sys::Status(sys::Errno{ENOENT});
  }
  [[nodiscard]] sys::Status reply_error(std::uint64_t unique, int error) const {
    if (entry != nullptr) return entry->reply_error(unique, error);
    return channel != nullptr ? channel->reply_error(unique, error) : sys::Status(sys::Errno{ENOENT});
  }
};

// Every handler answers exactly once, by one of the functions here; a malformed request is answered EINVAL. An answer is
// final, so an operation makes all changes and records before it.
class Exchange {
 public:
  Exchange(const Way& way, fuse::Request& request, RequestSlot& slot, const std::atomic<bool>& given_up,
           std::span<std::byte> scratch)
      : way_(way), channel_(way.channel), request_(request), slot_(slot), given_up_(given_up), scratch_(scratch) {}

  [[nodiscard]] fuse::Request& request() { return request_; }
  [[nodiscard]] const abi::InHeader& header() const { return request_.header(); }
  [[nodiscard]] overlay::NodeId node() const { return header().nodeid; }
  [[nodiscard]] overlay::Caller caller(std::uint32_t umask = 0) const {
    return {header().uid, header().gid, static_cast<std::int32_t>(header().pid), umask};
  }
  [[nodiscard]] overlay::Interrupted interrupted() const {
    return [given_up = &given_up_] { return given_up->load(std::memory_order_relaxed); };
  }
  // Room for an answer, max_write bytes.
  [[nodiscard]] std::span<std::byte> scratch() const { return scratch_; }

  // False where the answer was not accepted: then a node in it was not looked up.
  bool answer(std::span<const std::byte> body) { return answer(body, {}); }
  bool answer(std::span<const std::byte> head, std::span<const std::byte> body) {
    size_ = head.size() + body.size();
    slot_.answering();
    return sent(way_.reply(header().unique, head, body));
  }
  template <typename T>
  bool answer_with(const T& body) {
    return answer(std::as_bytes(std::span(&body, 1)));
  }
  void answer_empty() { answer({}); }
  void answer_error(int error) {
    error_ = error;
    slot_.answering();
    sent(way_.reply_error(header().unique, error));
  }
  void answer_status(const sys::Status& status) { status.ok() ? answer_empty() : answer_error(status.error().value); }

  // Once it was answered: whether the caller can continue. Over io_uring the answer is sent with the wait for the next request.
  [[nodiscard]] bool has_its_answer() const { return way_.entry == nullptr; }

  // Drops the kernel's cache of a node's attributes; their next use requests them again.
  [[nodiscard]] sys::Status invalidate_attributes(overlay::NodeId node) const {
    return channel_ != nullptr ? channel_->invalidate_attributes(node) : sys::Status();
  }

  // The record of the request in case this worker dies.
  [[nodiscard]] RequestSlot& slot() const { return slot_; }
  // For the next change that it makes.
  [[nodiscard]] filter::Receipt next_receipt() { return {slot_.unique(), ++changes_, &slot_.recorded()}; }
  [[nodiscard]] overlay::Attempt* attempt() const { return &slot_.attempt(); }

  // As fuse::Channel; ENODEV without one.
  [[nodiscard]] sys::Result<std::int32_t> open_backing(int descriptor) const {
    if (channel_ == nullptr) return sys::Errno{ENODEV};
    return channel_->open_backing(descriptor);
  }
  [[nodiscard]] sys::Status close_backing(std::int32_t id) const {
    return channel_ != nullptr ? channel_->close_backing(id) : sys::Status(sys::Errno{ENODEV});
  }

  // What was answered, for a trace.
  [[nodiscard]] int error() const { return error_; }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  bool sent(const sys::Status& status) {
    if (status.ok()) return true;
    if (status.failed_with(ENOENT) || status.failed_with(ENODEV)) return false;
    // The kernel rejects a malformed answer, and the caller would wait forever.
    error_ = EIO;
    static_cast<void>(way_.reply_error(header().unique, EIO));  // fails only during unmount
    return false;
  }

  Way way_;
  const fuse::Channel* channel_;
  fuse::Request& request_;
  RequestSlot& slot_;
  const std::atomic<bool>& given_up_;
  std::span<std::byte> scratch_;
  std::uint32_t changes_ = 0;
  int error_ = 0;
  std::size_t size_ = 0;
};

}  // namespace lamina::server
