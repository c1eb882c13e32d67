// Files: opening, reading, writing, and what else acts on their data.
#include <fcntl.h>

#include "server/session.h"
#include "sys/data.h"

namespace lamina::server {

using filter::ReadKind;
using overlay::Access;
using overlay::SetAttributes;

namespace {
bool writes(std::uint32_t flags) { return (flags & O_ACCMODE) != O_RDONLY; }

abi::OpenOut opened() {
  abi::OpenOut out{};
  out.open_flags = abi::open::keep_cache | abi::open::noflush;
  return out;
}
}  // namespace

void Session::open(Exchange& exchange) {
  if (options_.mode == Mode::stateless) return exchange.answer_error(ENOSYS);
  const auto in = exchange.request().take<abi::OpenIn>();
  if (!in) return exchange.answer_error(EINVAL);
  const Subject target = subject(exchange.node());
  if (writes(in->flags)) {
    if (const auto refused = guard(target); !refused.ok()) return exchange.answer_status(refused);
  }
  was_read(ReadKind::opened, target);
  exchange.answer_with(opened());
}

void Session::create(Exchange& exchange) {
  // Without CREATE the kernel makes the file by MKNOD and opens it without asking.
  if (options_.mode == Mode::stateless) return exchange.answer_error(ENOSYS);
  const auto in = exchange.request().take<abi::CreateIn>();
  const auto name = exchange.request().take_name();
  if (!in || !name) return exchange.answer_error(EINVAL);
  const Subject made = subject(exchange.node(), *name);
  if (const auto refused = guard(made); !refused.ok()) return exchange.answer_status(refused);
  const auto entry = file_system_.make_node(exchange.node(), *name, in->mode, 0, 0, exchange.caller(in->umask));
  if (!entry.ok()) return exchange.answer_error(entry.error().value);
  changed(exchange, "create", made);
  const abi::EntryOut head = to_entry(*entry);
  const abi::OpenOut body = opened();
  exchange.answer(std::as_bytes(std::span(&head, 1)), std::as_bytes(std::span(&body, 1)));
}

void Session::tmpfile(Exchange& exchange) {
  const auto in = exchange.request().take<abi::CreateIn>();
  if (!in) return exchange.answer_error(EINVAL);
  const auto entry = file_system_.make_unnamed(exchange.node(), in->mode, exchange.caller(in->umask));
  if (!entry.ok()) return exchange.answer_error(entry.error().value);
  const abi::EntryOut head = to_entry(*entry);
  const abi::OpenOut body = opened();
  exchange.answer(std::as_bytes(std::span(&head, 1)), std::as_bytes(std::span(&body, 1)));
}

void Session::release(Exchange& exchange) { exchange.answer_empty(); }

// Nothing is kept back until a file is closed.
void Session::flush(Exchange& exchange) { exchange.answer_error(ENOSYS); }

void Session::read(Exchange& exchange) {
  const auto in = exchange.request().take<abi::ReadIn>();
  if (!in || in->size > exchange.scratch().size()) return exchange.answer_error(EINVAL);
  const auto file = file_system_.file(exchange.node(), Access::read, exchange.interrupted());
  if (!file.ok()) return exchange.answer_error(file.error().value);
  const auto buffer = exchange.scratch().first(in->size);
  std::size_t done = 0;
  // The kernel takes a short answer for the end of the file.
  while (done < buffer.size()) {
    const auto size = sys::read_at((*file)->descriptor(), buffer.subspan(done), in->offset + done);
    if (!size.ok()) return exchange.answer_error(size.error().value);
    if (*size == 0) break;
    done += *size;
  }
  bytes_read_.value.fetch_add(done, std::memory_order_relaxed);
  exchange.answer(buffer.first(done));
}

void Session::write(Exchange& exchange) {
  const auto in = exchange.request().take<abi::WriteIn>();
  const auto data = in ? exchange.request().take_bytes(in->size) : std::nullopt;
  if (!in || !data) return exchange.answer_error(EINVAL);
  const auto file = file_system_.file(exchange.node(), Access::write, exchange.interrupted());
  if (!file.ok()) return exchange.answer_error(file.error().value);
  const auto size = sys::write_at((*file)->descriptor(), *data, in->offset);
  if (!size.ok()) return exchange.answer_error(size.error().value);
  if ((in->write_flags & abi::write_kill_suidgid) != 0) {
    SetAttributes change;
    change.kill_suidgid = true;
    const auto cleared = file_system_.set_attributes(exchange.node(), change, exchange.interrupted());
    if (!cleared.ok()) return exchange.answer_error(cleared.error().value);
  }
  bytes_written_.value.fetch_add(*size, std::memory_order_relaxed);
  if (filter_ != nullptr) changed(exchange, "write", subject(exchange.node()));
  exchange.answer_with(abi::WriteOut{static_cast<std::uint32_t>(*size), 0});
}

void Session::fsync(Exchange& exchange) {
  const auto in = exchange.request().take<abi::FsyncIn>();
  if (!in) return exchange.answer_error(EINVAL);
  if (!options_.synchronous) return exchange.answer_empty();
  exchange.answer_status(file_system_.sync(exchange.node(), (in->fsync_flags & abi::fsync_fdatasync) != 0));
}

void Session::fallocate(Exchange& exchange) {
  const auto in = exchange.request().take<abi::FallocateIn>();
  if (!in) return exchange.answer_error(EINVAL);
  const auto file = file_system_.file(exchange.node(), Access::write, exchange.interrupted());
  if (!file.ok()) return exchange.answer_error(file.error().value);
  const auto status = sys::allocate((*file)->descriptor(), static_cast<int>(in->mode), in->offset, in->length);
  if (status.ok() && filter_ != nullptr) changed(exchange, "fallocate", subject(exchange.node()));
  exchange.answer_status(status);
}

void Session::lseek(Exchange& exchange) {
  const auto in = exchange.request().take<abi::LseekIn>();
  if (!in) return exchange.answer_error(EINVAL);
  const auto file = file_system_.file(exchange.node(), Access::read, exchange.interrupted());
  if (!file.ok()) return exchange.answer_error(file.error().value);
  // Other threads may seek the same description: SEEK_DATA and SEEK_HOLE do not depend on where it stands.
  const auto offset = sys::seek((*file)->descriptor(), static_cast<std::int64_t>(in->offset), static_cast<int>(in->whence));
  if (!offset.ok()) return exchange.answer_error(offset.error().value);
  exchange.answer_with(abi::LseekOut{*offset});
}

void Session::copy_file_range(Exchange& exchange) {
  const auto in = exchange.request().take<abi::CopyFileRangeIn>();
  if (!in || in->flags != 0) return exchange.answer_error(EINVAL);
  const auto to = file_system_.file(in->nodeid_out, Access::write, exchange.interrupted());
  if (!to.ok()) return exchange.answer_error(to.error().value);
  const auto from = file_system_.file(exchange.node(), Access::read, exchange.interrupted());
  if (!from.ok()) return exchange.answer_error(from.error().value);
  const auto size =
      sys::copy_range((*from)->descriptor(), in->off_in, (*to)->descriptor(), in->off_out, static_cast<std::size_t>(in->len));
  // A lower on another file system: the kernel then copies through the page cache.
  if (size.failed_with(EXDEV)) return exchange.answer_error(EOPNOTSUPP);
  if (!size.ok()) return exchange.answer_error(size.error().value);
  bytes_written_.value.fetch_add(*size, std::memory_order_relaxed);
  if (filter_ != nullptr) changed(exchange, "copy_file_range", subject(in->nodeid_out));
  exchange.answer_with(abi::WriteOut{static_cast<std::uint32_t>(*size), 0});
}

}  // namespace lamina::server
