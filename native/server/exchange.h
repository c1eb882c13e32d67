// One request until its answer.
#pragma once

#include <array>
#include <atomic>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "filter/filter.h"
#include "fuse/abi_messages.h"
#include "fuse/channel.h"
#include "fuse/request.h"
#include "fuse/ring_entry.h"
#include "overlay/file_system.h"
#include "server/operation.h"
#include "server/request_slots.h"
#include "sys/result.h"

namespace lamina::server {

namespace abi = fuse::abi;

// Where a request came from, and its answer goes.
struct Way {
  const fuse::Channel* channel;      // null: the answer is not awaited
  fuse::RingEntry* entry = nullptr;  // if it came over io_uring

  [[nodiscard]] sys::Status reply(std::uint64_t unique, std::span<const std::byte> head,
                                  std::span<const std::byte> body) const {
    if (entry != nullptr) return entry->reply(unique, head, body);
    return channel != nullptr ? channel->reply(unique, head, body) : sys::Status(sys::Errno{ENOENT});
  }
  [[nodiscard]] sys::Status reply_error(std::uint64_t unique, int error) const {
    if (entry != nullptr) return entry->reply_error(unique, error);
    return channel != nullptr ? channel->reply_error(unique, error) : sys::Status(sys::Errno{ENOENT});
  }
};

// What a handler has of a request. It cannot answer: it returns its answer, and the session sends that, once.
class Exchange {
 public:
  Exchange(const Way& way, fuse::Request& request, RequestSlot& slot, const std::atomic<bool>& given_up,
           std::span<std::byte> scratch)
      : channel_(way.channel),
        over_ring_(way.entry != nullptr),
        request_(request),
        slot_(slot),
        given_up_(given_up),
        scratch_(scratch) {}
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

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

  // A reply of structures, one after the other.
  template <typename... Structures>
  [[nodiscard]] Reply reply(const Structures&... structures) {
    static_assert((sizeof(Structures) + ...) <= sizeof fixed_);
    std::byte* end = fixed_.data();
    ((std::memcpy(end, &structures, sizeof structures), end += sizeof structures), ...);
    return {{fixed_.data(), end}, {}, nullptr};
  }
  // A reply of bytes of the scratch.
  [[nodiscard]] static Reply reply_scratch(std::span<const std::byte> bytes) { return {{}, bytes, nullptr}; }
  // A reply of bytes that the exchange keeps.
  [[nodiscard]] Reply reply_kept(std::vector<std::byte> bytes) {
    bytes_ = std::move(bytes);
    return {{}, bytes_, nullptr};
  }
  [[nodiscard]] Reply reply_kept(std::string text) {
    text_ = std::move(text);
    return {{}, std::as_bytes(std::span(text_.data(), text_.size())), nullptr};
  }

  // What the kernel holds by an answer is taken back where the answer is not accepted: the lookups that the slot has as
  // raised, and the opening of a file that passes through.
  struct Opened {
    overlay::NodeId node = 0;
    std::uint64_t handle = 0;
  };
  void opened(const Opened& opened) { opened_ = opened; }
  [[nodiscard]] std::optional<Opened> take_opened() { return std::exchange(opened_, std::nullopt); }

  // Whether the caller can continue once the answer was sent. Over io_uring it goes with the wait for the next request.
  [[nodiscard]] bool sent_at_once() const { return !over_ring_; }

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

 private:
  const fuse::Channel* channel_;
  bool over_ring_;
  fuse::Request& request_;
  RequestSlot& slot_;
  const std::atomic<bool>& given_up_;
  std::span<std::byte> scratch_;
  std::uint32_t changes_ = 0;
  std::optional<Opened> opened_;
  std::array<std::byte, sizeof(abi::StatxOut)> fixed_;  // the longest
  std::vector<std::byte> bytes_;
  std::string text_;
};

}  // namespace lamina::server
