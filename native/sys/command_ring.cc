#include "sys/command_ring.h"

#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <utility>

namespace lamina::sys {

namespace {

// An entry with room for a command's arguments (IORING_SETUP_SQE128).
constexpr std::size_t entry_size = 128;
constexpr std::size_t arguments_at = 48;
static_assert(arguments_at + CommandRing::most_arguments == entry_size);

std::byte* map_ring(int ring, std::size_t size, off_t what) {
  void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, what);
  return memory == MAP_FAILED ? nullptr : static_cast<std::byte*>(memory);
}

std::uint32_t* word(std::byte* at) { return reinterpret_cast<std::uint32_t*>(at); }

}  // namespace

Result<CommandRing> CommandRing::make(int device) {
  io_uring_params parameters{};
  // DEFER_TASKRUN: the waiting thread itself receives requests, when it waits, without interrupts.
  parameters.flags = IORING_SETUP_SQE128 | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
  CommandRing ring;
  ring.descriptor_ = FileDescriptor(static_cast<int>(::syscall(SYS_io_uring_setup, 1, &parameters)));
  if (!ring.descriptor_.valid()) return last_error();
  LAMINA_TRY(ring.map(parameters));
  if (::syscall(SYS_io_uring_register, ring.descriptor_.get(), IORING_REGISTER_FILES, &device, 1) != 0)
    return last_error();
  return ring;
}

Status CommandRing::map(const io_uring_params& parameters) {
  rings_size_ = std::max(parameters.sq_off.array + parameters.sq_entries * sizeof(std::uint32_t),
                         parameters.cq_off.cqes + parameters.cq_entries * sizeof(io_uring_cqe));
  entries_size_ = parameters.sq_entries * entry_size;
  rings_ = map_ring(descriptor_.get(), rings_size_, IORING_OFF_SQ_RING);
  if (rings_ == nullptr) return last_error();
  entry_ = map_ring(descriptor_.get(), entries_size_, IORING_OFF_SQES);
  if (entry_ == nullptr) return last_error();
  submission_tail_ = word(rings_ + parameters.sq_off.tail);
  completion_head_ = word(rings_ + parameters.cq_off.head);
  completion_tail_ = word(rings_ + parameters.cq_off.tail);
  completion_mask_ = *word(rings_ + parameters.cq_off.ring_mask);
  completions_ = rings_ + parameters.cq_off.cqes;
  *word(rings_ + parameters.sq_off.array) = 0;  // the one entry there is
  return {};
}

CommandRing::CommandRing(CommandRing&& other) noexcept
    : descriptor_(std::move(other.descriptor_)),
      rings_(std::exchange(other.rings_, nullptr)),
      entry_(std::exchange(other.entry_, nullptr)),
      rings_size_(other.rings_size_),
      entries_size_(other.entries_size_),
      submission_tail_(other.submission_tail_),
      completion_head_(other.completion_head_),
      completion_tail_(other.completion_tail_),
      completion_mask_(other.completion_mask_),
      completions_(other.completions_),
      pending_(other.pending_) {}

CommandRing::~CommandRing() {
  if (entry_ != nullptr) ::munmap(entry_, entries_size_);
  if (rings_ != nullptr) ::munmap(rings_, rings_size_);
}

void CommandRing::prepare(const Command& command) {
  io_uring_sqe entry{};
  entry.opcode = IORING_OP_URING_CMD;
  entry.flags = IOSQE_FIXED_FILE;
  entry.fd = 0;  // its number among the registered ones
  entry.cmd_op = command.operation;
  entry.addr = reinterpret_cast<std::uint64_t>(command.address);
  entry.len = command.length;
  std::memcpy(entry_, &entry, arguments_at);
  std::ranges::copy(command.arguments.first(std::min(command.arguments.size(), most_arguments)), entry_ + arguments_at);
  std::atomic_ref<std::uint32_t> tail(*submission_tail_);
  tail.store(tail.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  pending_ = 1;
}

Result<std::int32_t> CommandRing::wait() {
  std::atomic_ref<std::uint32_t> head(*completion_head_);
  const std::uint32_t at = head.load(std::memory_order_relaxed);
  while (std::atomic_ref<std::uint32_t>(*completion_tail_).load(std::memory_order_acquire) == at) {
    const long taken =
        ::syscall(SYS_io_uring_enter, descriptor_.get(), pending_, 1U, IORING_ENTER_GETEVENTS, nullptr, std::size_t{0});
    if (taken < 0) return last_error();
    // A signal that arrives during the wait is reported by the next call.
    pending_ -= static_cast<unsigned>(taken);
  }
  io_uring_cqe completion{};
  std::memcpy(&completion, completions_ + (at & completion_mask_) * sizeof completion, sizeof completion);
  head.store(at + 1, std::memory_order_release);
  return completion.res;
}

}  // namespace lamina::sys
