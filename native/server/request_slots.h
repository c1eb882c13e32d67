// The record of each request from its receipt by a worker to its answer: in memory that outlives the worker, so that
// the next one knows what was done when the kernel resends the request (FUSE_NOTIFY_RESEND).
//
//   begin ─→ (attempt: checked, about to change) ─→ answering ─→ end
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>

#include "fuse/abi_messages.h"
#include "overlay/attempt.h"
#include "overlay/types.h"
#include "sys/result.h"
#include "sys/shared_memory.h"
#include "sys/step.h"

namespace lamina::server {

// One thread at a time writes it.
class RequestSlot {
 public:
  // Nodes whose lookup counts one answer raises at most.
  static constexpr std::size_t most_raised = 1024;
  // Room for a request that changes names: with a symlink's target (PATH_MAX) the longest.
  static constexpr std::size_t longest_message = 5120;

  // The record that earlier workers left of a request.
  struct Earlier {
    std::uint32_t deaths = 0;    // workers that it has killed
    std::uint32_t recorded = 0;  // how many of its changes are in the journal
  };
  // Keeps `message`: of a request that changes names all of it, else its header alone.
  void begin(std::uint64_t unique, std::span<const std::byte> message, const Earlier& earlier) {
    attempt_.clear();
    raised_count_.store(0, std::memory_order_relaxed);
    answering_.store(false, std::memory_order_relaxed);
    deaths_.store(earlier.deaths, std::memory_order_relaxed);
    recorded_.store(earlier.recorded, std::memory_order_relaxed);
    message_size_ = message.size() <= longest_message ? static_cast<std::uint32_t>(message.size()) : 0;
    std::memcpy(message_.data(), message.data(), message_size_);
    note_size_.store(0, std::memory_order_relaxed);
    unique_.store(unique & ~fuse::abi::unique_resend, std::memory_order_release);
    sys::step("begin");
  }
  // Data for the repetition of an operation that changes what it was found by. Left out if it does not fit.
  void note(std::string_view text) {
    if (text.size() > longest_message - message_size_) return;
    text.copy(reinterpret_cast<char*>(message_.data()) + message_size_, text.size());
    note_size_.store(static_cast<std::uint32_t>(text.size()), std::memory_order_release);
  }
  [[nodiscard]] std::string_view noted() const {
    return {reinterpret_cast<const char*>(message_.data()) + message_size_, note_size_.load(std::memory_order_acquire)};
  }
  // The answer is being sent: all is done, and it is unknown whether the kernel received it.
  void answering() {
    sys::step("done");
    answering_.store(true, std::memory_order_release);
    sys::step("answering");
  }
  void end() {
    sys::step("answered");
    unique_.store(0, std::memory_order_release);
    sys::step("end");
  }

  // After the count was raised: a death between the two leaves it too high, which only costs memory.
  void raised(overlay::NodeId node) {
    const std::uint32_t count = raised_count_.load(std::memory_order_relaxed);
    if (count == most_raised) return;
    raised_[count] = node;
    raised_count_.store(count + 1, std::memory_order_release);
  }
  [[nodiscard]] bool has_room_for_raised() const { return raised_count_.load(std::memory_order_relaxed) < most_raised; }
  // Removes the last of them; 0 where there is none.
  overlay::NodeId take_raised() {
    const std::uint32_t count = raised_count_.load(std::memory_order_relaxed);
    if (count == 0) return 0;
    raised_count_.store(count - 1, std::memory_order_release);
    return raised_[count - 1];
  }

  // The thread that handles it crashes. Safe in a signal handler.
  void mark_crashed() { deaths_.fetch_add(1, std::memory_order_relaxed); }

  [[nodiscard]] std::uint64_t unique() const { return unique_.load(std::memory_order_acquire); }
  [[nodiscard]] bool was_answering() const { return answering_.load(std::memory_order_acquire); }
  [[nodiscard]] std::uint32_t deaths() const { return deaths_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::atomic<std::uint32_t>& recorded() { return recorded_; }
  [[nodiscard]] overlay::Attempt& attempt() { return attempt_; }
  [[nodiscard]] std::span<std::byte> message() { return std::span(message_).first(message_size_); }

 private:
  std::atomic<std::uint64_t> unique_;    // without the flag of a resent request; 0: no request
  std::atomic<std::uint32_t> deaths_;    // workers that it has killed
  std::atomic<std::uint32_t> recorded_;  // how many of its changes are in the journal
  std::atomic<bool> answering_;
  overlay::Attempt attempt_;
  std::atomic<std::uint32_t> raised_count_;
  std::uint32_t message_size_;
  std::atomic<std::uint32_t> note_size_;  // after the message
  std::array<std::byte, longest_message> message_;
  std::array<overlay::NodeId, most_raised> raised_;
};

// One for each worker thread.
class RequestSlots {
 public:
  static sys::Result<std::unique_ptr<RequestSlots>> make(std::size_t count) {
    LAMINA_ASSIGN(sys::SharedMemory memory, sys::SharedMemory::reserve(page + count * slot_size));
    if (memory.bytes().size() < page + count * slot_size) return sys::Errno{ENOMEM};
    return std::unique_ptr<RequestSlots>(new RequestSlots(std::move(memory), count));
  }

  [[nodiscard]] std::size_t size() const { return count_; }
  [[nodiscard]] RequestSlot& at(std::size_t number) {
    return *reinterpret_cast<RequestSlot*>(memory_.bytes().data() + page + number * slot_size);
  }
  // The kernel can resend requests: without that no worker can continue for another.
  void set_resendable(bool value) { header().resendable.store(value); }
  [[nodiscard]] bool resendable() { return header().resendable.load(); }
  // The mount has answered.
  void set_ready() { header().ready.store(true); }
  [[nodiscard]] bool ready() { return header().ready.load(); }

 private:
  static constexpr std::size_t page = 4096;
  static constexpr std::size_t slot_size = (sizeof(RequestSlot) + page - 1) / page * page;
  struct Header {
    std::atomic<bool> resendable, ready;
  };
  RequestSlots(sys::SharedMemory memory, std::size_t count) : memory_(std::move(memory)), count_(count) {}
  Header& header() { return *reinterpret_cast<Header*>(memory_.bytes().data()); }

  sys::SharedMemory memory_;  // zero: no slot holds a request
  std::size_t count_;
};

}  // namespace lamina::server
