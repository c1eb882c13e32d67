#include "fuse/ring_entry.h"

#include <sys/mman.h>
#include <sys/uio.h>

#include <array>
#include <cstring>

#include "fuse/abi_messages.h"

namespace lamina::fuse {

using sys::Errno;
using sys::Result;
using sys::Status;

struct RingEntry::Headers {
  abi::RingHeader header;
  std::array<iovec, 2> parts;
};

namespace {
// Before the payload: the head of a request, so that both are contiguous; the payload begins on a page.
constexpr std::size_t page = 4096;
}  // namespace

Result<std::unique_ptr<RingEntry>> RingEntry::make(const Channel& channel, unsigned processor, std::size_t most) {
  LAMINA_ASSIGN(sys::CommandRing ring, sys::CommandRing::make(channel.descriptor()));
  std::unique_ptr<RingEntry> entry(new RingEntry(std::move(ring), processor, most));
  if (entry->memory_ == nullptr) return Errno{ENOMEM};
  return entry;
}

RingEntry::RingEntry(sys::CommandRing ring, unsigned processor, std::size_t most)
    : ring_(std::move(ring)), processor_(processor), most_(most), headers_(std::make_unique<Headers>()) {
  mapped_ = page + 2 * most;
  void* memory = ::mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return;
  memory_ = static_cast<std::byte*>(memory);
  payload_ = memory_ + page;
}

RingEntry::~RingEntry() {
  if (memory_ != nullptr) ::munmap(memory_, mapped_);
}

void RingEntry::prepare(std::uint32_t operation) {
  const abi::RingCommand arguments{0, headers_->header.entry.commit_id, static_cast<std::uint16_t>(processor_), {}};
  headers_->parts = {iovec{&headers_->header, sizeof headers_->header}, iovec{payload_, most_}};
  ring_.prepare({operation, headers_->parts.data(), static_cast<std::uint32_t>(headers_->parts.size()),
                 std::as_bytes(std::span(&arguments, 1))});
}

Result<std::span<std::byte>> RingEntry::receive() {
  if (state_ == State::fresh) {
    prepare(abi::ring::fetch_first);
    state_ = State::registering;
  } else if (state_ == State::answered) {
    prepare(abi::ring::commit_and_fetch);
    state_ = State::waiting;
  }
  LAMINA_ASSIGN(const std::int32_t result, ring_.wait());
  // ECANCELED: this process ends.
  if (result == -ENOTCONN || result == -ECONNABORTED || result == -ECANCELED) return Errno{ENODEV};
  if (result < 0) {
    if (state_ == State::registering) state_ = State::refused;
    return Errno{-result};
  }
  return take();
}

Result<std::span<std::byte>> RingEntry::take() {
  abi::RingHeader& header = headers_->header;
  abi::InHeader in;
  std::memcpy(&in, header.in_out.data(), sizeof in);
  arguments_ = header.entry.payload_size;
  if (arguments_ > most_ || in.len < sizeof in + arguments_) return Errno{EPROTO};
  const std::size_t structure = in.len - sizeof in - arguments_;
  if (structure > header.structure.size()) return Errno{EPROTO};
  std::byte* const start = payload_ - structure - sizeof in;
  std::memcpy(start, &in, sizeof in);
  std::memcpy(start + sizeof in, header.structure.data(), structure);
  state_ = State::taken;
  return std::span(start, in.len);
}

std::span<std::byte> RingEntry::room() { return {arguments_ == 0 ? payload_ : payload_ + most_, most_}; }

void RingEntry::answer(std::uint64_t unique, int error, std::size_t size) {
  abi::RingHeader& header = headers_->header;
  const abi::OutHeader out{static_cast<std::uint32_t>(sizeof(abi::OutHeader) + size), -error, unique};
  std::memcpy(header.in_out.data(), &out, sizeof out);
  header.entry.payload_size = static_cast<std::uint32_t>(size);
  state_ = State::answered;
}

Status RingEntry::reply(std::uint64_t unique, std::span<const std::byte> head, std::span<const std::byte> body) {
  if (state_ != State::taken || head.size() + body.size() > most_) return Errno{EINVAL};
  // The second part may be in this memory itself.
  if (!body.empty() && body.data() != payload_ + head.size())
    std::memmove(payload_ + head.size(), body.data(), body.size());
  if (!head.empty() && head.data() != payload_) std::memmove(payload_, head.data(), head.size());
  answer(unique, 0, head.size() + body.size());
  return {};
}

Status RingEntry::reply_error(std::uint64_t unique, int error) {
  if (state_ != State::taken) return Errno{EINVAL};
  answer(unique, error, 0);
  return {};
}

}  // namespace lamina::fuse
