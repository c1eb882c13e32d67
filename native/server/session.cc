#include "server/session.h"

#include <cstdlib>
#include <cstring>
#include <memory>

namespace lamina::server {

using sys::Errno;
using sys::Status;

namespace {
// makedev(3) as the kernel's new_encode_dev, which the protocol uses.
std::uint32_t encode_device(std::uint32_t major, std::uint32_t minor) {
  return (minor & 0xFFU) | (major << 8U) | ((minor & ~0xFFU) << 12U);
}

struct Free {
  void operator()(std::byte* memory) const { std::free(memory); }
};
}  // namespace

abi::Attr to_attr(const overlay::Attributes& from) {
  abi::Attr attr{};
  attr.ino = from.ino;
  attr.size = from.size;
  attr.blocks = from.blocks;
  attr.atime = static_cast<std::uint64_t>(from.atime.seconds);
  attr.mtime = static_cast<std::uint64_t>(from.mtime.seconds);
  attr.ctime = static_cast<std::uint64_t>(from.ctime.seconds);
  attr.atimensec = from.atime.nanoseconds;
  attr.mtimensec = from.mtime.nanoseconds;
  attr.ctimensec = from.ctime.nanoseconds;
  attr.mode = from.mode;
  attr.nlink = from.nlink;
  attr.uid = from.uid;
  attr.gid = from.gid;
  attr.rdev = encode_device(from.rdev_major, from.rdev_minor);
  attr.blksize = from.block_size;
  return attr;
}

abi::EntryOut Session::to_entry(const overlay::Entry& entry) const {
  abi::EntryOut out{};
  out.nodeid = entry.node;
  // That of the root is 0: the kernel has made its inode (fuse_get_root_inode() of fs/fuse/inode.c).
  out.generation = entry.node == overlay::root_node ? 0 : options_.generation;
  out.entry_valid = forever;
  out.attr_valid = validity_of(entry.attributes);
  out.attr = to_attr(entry.attributes);
  return out;
}

Session::Session(overlay::FileSystem& file_system, filter::Filter* filter, const ServerOptions& options,
                 RequestSlots& slots)
    : file_system_(file_system),
      filter_(filter),
      options_(options),
      answers_open_(options.mode == Mode::passthrough ||
                    (options.mode == Mode::servicing && filter != nullptr && filter->may_protect_below(""))),
      slots_(slots),
      in_flight_(slots.size()) {}

void Session::trace(const abi::InHeader& header, int error, std::size_t size) const {
  const char* name = operation_of(header.opcode).name;
  options_.trace(std::string(name != nullptr ? name : "unknown") + " node " + std::to_string(header.nodeid) + " uid " +
                 std::to_string(header.uid) + " gid " + std::to_string(header.gid) + " pid " +
                 std::to_string(header.pid) + ": " +
                 (error != 0 ? std::strerror(error) : std::to_string(size) + " bytes"));
}

// An answer is final: an operation makes all changes and records before it.
void Session::perform(const Way& way, Exchange& exchange) {
  const abi::InHeader& header = exchange.header();
  const Operation& operation = operation_of(header.opcode);
  if (header.opcode < abi::opcode_limit) counts_[header.opcode].value.fetch_add(1, std::memory_order_relaxed);
  if (!operation.answered()) {
    operation.handle_unanswered(*this, exchange);
    if (options_.trace) trace(header, 0, 0);
    return;
  }
  const Answer answer = operation.handle != nullptr ? operation.handle(*this, exchange) : Answer(Errno{ENOSYS});
  const int error = send(way, exchange, answer);
  if (answer.ok() && answer->afterwards != nullptr) (this->*answer->afterwards)(exchange);
  if (options_.trace) trace(header, error, answer.ok() ? answer->size() : 0);
}

// Returns the error that was sent.
int Session::send(const Way& way, Exchange& exchange, const Answer& answer) {
  const std::uint64_t unique = exchange.header().unique;
  exchange.slot().answering();
  const int error = answer.ok() ? 0 : answer.error().value;
  const Status sent = answer.ok() ? way.reply(unique, answer->head, answer->body) : way.reply_error(unique, error);
  if (!sent.ok() || !answer.ok()) take_back(exchange);
  if (sent.ok() || sent.failed_with(ENOENT) || sent.failed_with(ENODEV)) return error;
  // The kernel rejects a malformed answer, and the caller would wait forever.
  static_cast<void>(way.reply_error(unique, EIO));  // fails only during unmount
  return EIO;
}

void Session::take_back(Exchange& exchange) {
  if (const auto opened = exchange.take_opened()) close_through(exchange, opened->node, opened->handle);
  while (const overlay::NodeId node = exchange.slot().take_raised()) file_system_.forget(node, 1);
}

void Session::serve(const Way& way, std::size_t worker, std::span<std::byte> message, std::span<std::byte> scratch,
                    const RequestSlot::Earlier& earlier) {
  auto request = fuse::Request::decode(message);
  if (!request) {
    // Its client must not wait forever. FORGETs have no answer, and the kernel then has no such request.
    const auto header = fuse::Request::header_of(message);
    if (header) static_cast<void>(way.reply_error(header->unique, EIO));
    return;
  }
  RequestSlot& slot = slots_.at(worker);
  const bool kept = operation_of(request->header().opcode).changes_names;
  slot.begin(request->header().unique, message.first(kept ? message.size() : sizeof(abi::InHeader)), earlier);
  in_flight_.begin(worker, request->header().unique);
  Exchange exchange(way, *request, slot, in_flight_.given_up(worker), scratch);
  perform(way, exchange);
  in_flight_.end(worker);
  slot.end();
}

std::optional<Session::Message> Session::take_left() {
  const std::lock_guard lock(left_mutex_);
  if (left_.empty()) return std::nullopt;
  Message first = std::move(left_.front());
  left_.pop_front();
  return first;
}

Status Session::work(const fuse::Channel& channel, std::size_t worker, const std::atomic<bool>& stopping) {
  const std::size_t lead = page_size - write_head;
  const std::unique_ptr<std::byte, Free> memory(
      static_cast<std::byte*>(std::aligned_alloc(page_size, 2 * page_size + max_write)));
  const std::unique_ptr<std::byte, Free> scratch(static_cast<std::byte*>(std::aligned_alloc(page_size, max_write)));
  if (!memory || !scratch) return Errno{ENOMEM};
  const std::span<std::byte> buffer(memory.get() + lead, page_size + max_write);
  current_slot = &slots_.at(worker);
  // They were read from the first channel, and the kernel accepts an answer only on the channel of the request.
  while (auto left = worker == 0 ? take_left() : std::nullopt)
    serve({&channel}, worker, left->bytes, {scratch.get(), max_write}, left->earlier);
  while (!stopping.load(std::memory_order_relaxed)) {
    const auto size = channel.receive(buffer);
    if (size.failed_with(EINTR)) continue;
    if (!size) return size.failed_with(ENODEV) ? Status() : Status(size.error());
    serve({&channel}, worker, buffer.first(*size), {scratch.get(), max_write});
  }
  return {};
}

Status Session::work(fuse::RingEntry& entry, const fuse::Channel& channel, std::size_t worker,
                     const std::atomic<bool>& stopping) {
  ring_.wait(Ring::open);
  if (!uses_ring()) return {};
  while (!stopping.load(std::memory_order_relaxed)) {
    const auto message = entry.receive();
    if (message.failed_with(EINTR)) continue;
    if (!message && entry.refused()) ring_.store(Ring::refused);
    if (!message) return message.failed_with(ENODEV) || entry.refused() ? Status() : Status(message.error());
    serve({&channel, &entry}, worker, *message, entry.room());
  }
  return {};
}

void Session::give_up_ring() {
  Ring expected = Ring::open;
  if (ring_.compare_exchange_strong(expected, Ring::refused)) ring_.notify_all();
}

Statistics Session::statistics() const {
  Statistics statistics;
  for (std::size_t opcode = 0; opcode < counts_.size(); ++opcode) {
    const std::uint64_t count = counts_[opcode].value.load(std::memory_order_relaxed);
    if (count == 0) continue;
    const char* name = operation_of(static_cast<std::uint32_t>(opcode)).name;
    statistics.operations.emplace_back(name != nullptr ? name : "opcode" + std::to_string(opcode), count);
    statistics.messages += count;
  }
  statistics.bytes_read = bytes_read_.value.load(std::memory_order_relaxed);
  statistics.bytes_written = bytes_written_.value.load(std::memory_order_relaxed);
  return statistics;
}

Session::Subject Session::subject(overlay::NodeId node) {
  if (filter_ == nullptr) return {};
  auto path = file_system_.path(node);
  // A file without a name has no path for a rule or the journal.
  return path ? Subject{true, std::move(*path)} : Subject{};
}

Session::Subject Session::subject(overlay::NodeId parent, std::string_view name) {
  Subject made = subject(parent);
  if (!made.watched) return made;
  if (!made.path.empty()) made.path += '/';
  made.path += name;
  return made;
}

Status Session::guard(const Subject& subject) const {
  if (subject.watched && filter_->decide(subject.path) == filter::Decision::protect) return Errno{EROFS};
  return {};
}

Status Session::guard_file(overlay::NodeId node, const Subject& subject) const {
  LAMINA_TRY(guard(subject));
  if (filter_ == nullptr || !filter_->may_protect_below("")) return {};
  LAMINA_ASSIGN(const bool protects, file_system_.any_name(node, [this](std::string_view path) {
    return filter_->decide(path) == filter::Decision::protect;
  }));
  return protects ? Status(Errno{EROFS}) : Status();
}

Status Session::guard_below(overlay::NodeId parent, std::string_view name, const Subject& from,
                            const Subject& to) const {
  if (!from.watched || !to.watched) return {};
  if (!filter_->may_protect_below(from.path) && !filter_->may_protect_below(to.path)) return {};
  const auto is_protected = [&](std::string_view path) {
    for (const Subject* each : {&from, &to}) {
      if (filter_->decide(each->path + '/' + std::string(path)) == filter::Decision::protect) return true;
    }
    return false;
  };
  LAMINA_ASSIGN(const bool protects, file_system_.any_below(parent, name, is_protected));
  return protects ? Status(Errno{EROFS}) : Status();
}

void Session::changed(Exchange& exchange, filter::Operation operation, const Subject& subject,
                      std::string_view second) {
  if (!subject.watched || !filter_->records_changes()) return;
  // Changes within an ephemeral path are not part of the update; what is moved out of it is.
  const bool two_paths = filter::format_of(operation).second == filter::Second::path;
  const auto captured = [this](std::string_view path) { return filter_->decide(path) != filter::Decision::ephemeral; };
  if (!captured(subject.path) && !(two_paths && captured(second))) return;
  const abi::InHeader& header = exchange.header();
  const filter::Receipt receipt = exchange.next_receipt();
  if (receipt.ordinal <= receipt.recorded->load()) return;  // by a worker that died then
  filter_->record_change(
      {operation, subject.path, second, static_cast<std::int32_t>(header.pid), header.uid, header.gid}, receipt);
}

void Session::was_read(filter::ReadKind kind, const Subject& subject) {
  if (subject.watched && filter_->records_reads()) filter_->record_read(kind, subject.path);
}

void Session::was_read(filter::ReadKind kind, overlay::NodeId node) {
  if (filter_ != nullptr && filter_->records_reads()) was_read(kind, subject(node));
}

}  // namespace lamina::server
