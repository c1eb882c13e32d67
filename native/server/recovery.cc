// Continuing for workers that have died. Their slots record their requests; the kernel resends what was not answered. A
// client locks its directories until it is answered, so begun requests are finished before anything else.
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "server/session.h"

namespace lamina::server {

using sys::Errno;
using sys::Status;

namespace {
// A request that kills this many workers is not retried.
constexpr std::uint32_t most_deaths = 2;

bool is_again(const abi::InHeader& header) { return (header.unique & abi::unique_resend) != 0; }

// The node that an operation changes besides that of its header. `request` is a copy.
std::optional<overlay::NodeId> other_node(abi::Opcode opcode, fuse::Request request) {
  if (opcode == abi::Opcode::link) {
    if (const auto in = request.take<abi::LinkIn>()) return in->oldnodeid;
  } else if (opcode == abi::Opcode::rename) {
    if (const auto in = request.take<abi::RenameIn>()) return in->newdir;
  } else if (opcode == abi::Opcode::rename2) {
    if (const auto in = request.take<abi::Rename2In>()) return in->newdir;
  }
  return std::nullopt;
}
}  // namespace

// Reads what the kernel resends, before all new requests. The first new one, if one is read, is kept.
Status Session::gather(const fuse::Channel& channel, std::vector<Message>& again) {
  const Status sent = channel.resend();
  if (!sent.ok()) return sent.failed_with(ENODEV) ? Status() : sent;
  std::vector<std::byte> buffer(page_size + max_write);
  for (;;) {
    LAMINA_ASSIGN(const bool pending, channel.pending());
    if (!pending) return {};
    const auto size = channel.receive(buffer);
    if (size.failed_with(ENODEV)) return {};
    if (size.failed_with(EINTR)) continue;
    if (!size) return size.error();
    const std::span<std::byte> message(buffer.data(), *size);
    const auto header = fuse::Request::header_of(message);
    if (header && !operation_of(header->opcode).answered()) {  // never resent
      if (auto request = fuse::Request::decode(message)) {
        RequestSlot unused{};
        const std::atomic<bool> never{false};
        const Way nowhere{nullptr};
        Exchange exchange(nowhere, *request, unused, never, {});
        perform(nowhere, exchange);
      }
      continue;
    }
    Message taken{{message.begin(), message.end()}, {}};
    if (!header || !is_again(*header)) {
      left_.push_back(std::move(taken));
      return {};
    }
    again.push_back(std::move(taken));
  }
}

Status Session::recover(const fuse::Channel& channel) {
  std::vector<Message> again;
  LAMINA_TRY(gather(channel, again));
  for (std::size_t worker = 0; worker < slots_.size(); ++worker) {
    const std::uint64_t unique = slots_.at(worker).unique();
    if (unique == 0) continue;
    const auto its = std::find_if(again.begin(), again.end(), [&](const Message& each) {
      const auto header = fuse::Request::header_of(each.bytes);
      return header && (header->unique & ~abi::unique_resend) == unique;
    });
    if (its == again.end()) {
      abandon(worker);
      continue;
    }
    Message message = std::move(*its);
    again.erase(its);
    resume(channel, worker, message);
  }
  for (auto each = again.rbegin(); each != again.rend(); ++each) left_.push_front(std::move(*each));
  return {};
}

// Its last change may have been recorded just before the death, without the slot.
void Session::sync_recorded(RequestSlot& slot) const {
  if (filter_ == nullptr) return;
  const filter::Receipt last = filter_->last_receipt();
  if (last.request == slot.unique() && last.ordinal > slot.recorded().load()) slot.recorded().store(last.ordinal);
}

// Resent: the client got no answer.
void Session::resume(const fuse::Channel& channel, std::size_t worker, Message& message) {
  RequestSlot& slot = slots_.at(worker);
  while (const overlay::NodeId node = slot.take_raised()) file_system_.forget(node, 1);
  sync_recorded(slot);
  message.earlier = {slot.deaths(), slot.recorded().load()};
  if (slot.deaths() >= most_deaths) {
    const auto header = fuse::Request::header_of(message.bytes);
    if (options_.report) {
      const char* name = operation_of(header->opcode).name;
      options_.report(std::string("the request ") + (name != nullptr ? name : "unknown") + " on node " +
                      std::to_string(header->nodeid) + " has killed " + std::to_string(slot.deaths()) +
                      " workers, and fails with EIO");
    }
    static_cast<void>(channel.reply_error(header->unique, EIO));  // fails only during unmount
    slot.end();
  } else if (slot.attempt().begun()) {
    redo(&channel, worker, message.bytes);
  } else {
    slot.end();
    left_.push_back(std::move(message));
  }
}

// Not resent: it was answered, or its client was killed and the kernel has withdrawn it. Then what was begun is
// finished, because half of it must not stay, and the kernel, which assumes that nothing was done, gets an
// invalidation.
void Session::abandon(std::size_t worker) {
  RequestSlot& slot = slots_.at(worker);
  const bool unfinished = !slot.was_answering() && slot.attempt().begun();
  std::vector<std::byte> message(slot.message().begin(), slot.message().end());
  note_withdrawn(message);
  sync_recorded(slot);
  if (unfinished && fuse::Request::decode(message) && slot.deaths() < most_deaths) {
    while (const overlay::NodeId node = slot.take_raised()) file_system_.forget(node, 1);
    redo(nullptr, worker, message);
  }
  slot.end();
}

// In the slot that records how far it got.
void Session::redo(const fuse::Channel* channel, std::size_t worker, std::span<std::byte> message) {
  RequestSlot& slot = slots_.at(worker);
  auto request = fuse::Request::decode(message);
  if (request) {
    std::vector<std::byte> scratch(page_size);
    current_slot = &slot;
    in_flight_.begin(worker, request->header().unique);
    const Way way{channel};
    Exchange exchange(way, *request, slot, in_flight_.given_up(worker), scratch);
    perform(way, exchange);
    in_flight_.end(worker);
    current_slot = nullptr;
  }
  slot.end();
}

void Session::note_withdrawn(std::span<const std::byte> message) {
  const auto header = fuse::Request::header_of(message);
  if (!header || header->nodeid == 0) return;
  const Operation& operation = operation_of(header->opcode);
  if (!operation.answered()) return;
  const overlay::NodeId parent = header->nodeid;
  stale_nodes_.push_back(parent);
  auto request = fuse::Request::decode(message);  // kept as a whole only where it changes names
  if (!request || !operation.changes_names) return;
  const auto other = other_node(request->opcode(), *request);
  if (other) stale_nodes_.push_back(*other);
  static_cast<void>(request->take_bytes(operation.structure_size));
  const auto name = request->take_name();
  if (name) stale_names_.emplace_back(parent, *name);
  const auto second = operation.names > 1 ? request->take_name() : std::nullopt;
  if (second) stale_names_.emplace_back(other.value_or(parent), *second);
}

Status Session::invalidate(const fuse::Channel& channel) const {
  Status failed;
  // ENOENT, ENOTDIR: the kernel does not cache it. ENODEV: the mount is gone.
  const auto note = [&](const Status& status) {
    const bool fine =
        status.ok() || status.failed_with(ENOENT) || status.failed_with(ENOTDIR) || status.failed_with(ENODEV);
    if (!fine && failed.ok()) failed = status;
  };
  for (const auto& [parent, name] : stale_names_) note(channel.invalidate_name(parent, name));
  for (const std::uint64_t node : stale_nodes_) note(channel.invalidate_node(node));
  return failed;
}

thread_local RequestSlot* current_slot = nullptr;

void mark_crashed_request() {
  if (current_slot != nullptr) current_slot->mark_crashed();
}

}  // namespace lamina::server
