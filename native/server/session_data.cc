// Data of files: reading, writing, and other operations on it.
#include <algorithm>

#include "server/session.h"
#include "sys/data.h"
#include "sys/status.h"

namespace lamina::server {

using overlay::Access;
using overlay::SetAttributes;
using sys::Errno;
using sys::Result;
using sys::Status;

namespace {
// read(2) and copy_file_range(2) move no more at once (MAX_RW_COUNT); the answer to COPY_FILE_RANGE has 32 bits.
constexpr std::uint64_t most_at_once = 0x7FFFF000;
// Half of the kernel's largest first request for a file that is read from its beginning: most files are smaller.
constexpr std::uint64_t first_read = 128 * 1024;
}  // namespace

Answer Session::read(Exchange& exchange, const abi::ReadIn& in) {
  if (in.size > exchange.scratch().size()) return Errno{EINVAL};
  const auto file = file_system_.file(exchange.node(), Access::read, exchange.interrupted());
  if (!file.ok()) return file.error();
  was_read(filter::ReadKind::opened, exchange.node());
  const auto buffer = exchange.scratch().first(in.size);
  std::size_t done = 0;
  // The kernel treats a short answer as the end of the file.
  while (done < buffer.size()) {
    const auto size = sys::read_at((*file)->descriptor(), buffer.subspan(done), in.offset + done);
    if (!size.ok()) return size.error();
    if (*size == 0) break;
    done += *size;
  }
  bytes_read_.value.fetch_add(done, std::memory_order_relaxed);
  Reply reply = Exchange::reply_scratch(buffer.first(done));
  if (in.offset == 0) reply.afterwards = &Session::read_ahead;
  return reply;
}

// While the caller processes its data, the disk reads what it will need next. A hint: a failure to open is reported
// when it is requested.
void Session::read_ahead(const Exchange& exchange) {
  if (!exchange.sent_at_once()) return;
  const auto nodes = read_ahead_.next(exchange.node());
  for (overlay::NodeId node = nodes.begin; node < nodes.end; ++node) {
    const auto file = file_system_.file(node, Access::read, [] { return false; });
    if (file.ok()) sys::will_read((*file)->descriptor(), first_read);
  }
}

Result<overlay::RealFileRef> Session::writable_file(Exchange& exchange, overlay::NodeId node, const Subject& subject,
                                                    Access access) {
  if (!answers_open_) LAMINA_TRY(guard_file(node, subject));
  auto file = file_system_.file(node, access, exchange.interrupted());
  invalidate_renumbered(exchange);
  return file;
}

// The kernel itself invalidates only what it expects the call to change. This fails only when the mount is gone.
void Session::invalidate_renumbered(const Exchange& exchange) {
  for (const overlay::NodeId node : file_system_.take_renumbered())
    static_cast<void>(forget_attributes(exchange, node));
}

Answer Session::write(Exchange& exchange, const abi::WriteIn& in, std::span<const std::byte> rest) {
  if (rest.size() < in.size) return Errno{EINVAL};
  const Subject target = subject(exchange.node());
  const Access access = (in.flags & O_APPEND) != 0 ? Access::append : Access::write;
  const auto file = writable_file(exchange, exchange.node(), target, access);
  if (!file.ok()) return file.error();
  if ((in.write_flags & abi::write_kill_suidgid) != 0) {
    LAMINA_TRY(kill_suidgid(exchange, exchange.node(), **file));
  }
  const auto size = sys::write_at((*file)->descriptor(), rest.first(in.size), in.offset);
  if (!size.ok()) return size.error();
  bytes_written_.value.fetch_add(*size, std::memory_order_relaxed);
  changed(exchange, filter::Operation::write, target);
  return exchange.reply(abi::WriteOut{static_cast<std::uint32_t>(*size), 0});
}

Answer Session::fsync(Exchange& exchange, const abi::FsyncIn& in) {
  if (!options_.synchronous) return Errno{ENOSYS};  // the caller succeeds, and the kernel does not ask again
  return answer_of(file_system_.sync(exchange.node(), (in.fsync_flags & abi::fsync_fdatasync) != 0));
}

Answer Session::fallocate(Exchange& exchange, const abi::FallocateIn& in) {
  const Subject target = subject(exchange.node());
  // vfs_fallocate of the kernel: a pure allocation does not change the content.
  const Access access =
      (in.mode & ~static_cast<std::uint32_t>(FALLOC_FL_KEEP_SIZE)) == 0 ? Access::append : Access::write;
  const auto file = writable_file(exchange, exchange.node(), target, access);
  if (!file.ok()) return file.error();
  LAMINA_TRY(kill_suidgid_unless_kept(exchange, exchange.node(), **file));
  const auto status = sys::allocate((*file)->descriptor(), static_cast<int>(in.mode), in.offset, in.length);
  if (status.ok()) changed(exchange, filter::Operation::fallocate, target);
  return answer_of(status);
}

Answer Session::lseek(Exchange& exchange, const abi::LseekIn& in) {
  const auto file = file_system_.file(exchange.node(), Access::read, exchange.interrupted());
  if (!file.ok()) return file.error();
  // Other threads may seek the same description: SEEK_DATA and SEEK_HOLE do not depend on its offset.
  const auto offset =
      sys::seek((*file)->descriptor(), static_cast<std::int64_t>(in.offset), static_cast<int>(in.whence));
  if (!offset.ok()) return offset.error();
  return exchange.reply(abi::LseekOut{*offset});
}

Result<std::size_t> Session::copy(Exchange& exchange, const abi::CopyFileRangeIn& in) {
  if (in.flags != 0) return Errno{EINVAL};
  const Subject target = subject(in.nodeid_out);
  was_read(filter::ReadKind::opened, exchange.node());
  // First open the one that is written: where both are one file, its copy-up changes what is read.
  LAMINA_ASSIGN(const overlay::RealFileRef to, writable_file(exchange, in.nodeid_out, target, Access::write));
  LAMINA_ASSIGN(const overlay::RealFileRef from,
                file_system_.file(exchange.node(), Access::read, exchange.interrupted()));
  LAMINA_TRY(kill_suidgid_unless_kept(exchange, in.nodeid_out, *to));
  const auto size = sys::copy_range(from->descriptor(), in.off_in, to->descriptor(), in.off_out,
                                    static_cast<std::size_t>(std::min(in.len, most_at_once)));
  // A lower on another file system: with this answer the kernel copies through the page cache.
  if (size.failed_with(EXDEV)) return Errno{EOPNOTSUPP};
  if (!size.ok()) return size.error();
  bytes_written_.value.fetch_add(*size, std::memory_order_relaxed);
  changed(exchange, filter::Operation::copy_file_range, target);
  return *size;
}

Answer Session::copy_file_range(Exchange& exchange, const abi::CopyFileRangeIn& in) {
  const auto size = copy(exchange, in);
  if (!size.ok()) return size.error();
  return exchange.reply(abi::WriteOut{static_cast<std::uint32_t>(*size), 0});
}

Answer Session::copy_file_range_64(Exchange& exchange, const abi::CopyFileRangeIn& in) {
  const auto size = copy(exchange, in);
  if (!size.ok()) return size.error();
  return exchange.reply(abi::CopyFileRangeOut{*size});
}

}  // namespace lamina::server
