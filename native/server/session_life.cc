// The mount's life cycle: the negotiation of features, statfs, interrupts, the end.
#include "server/session.h"

namespace lamina::server {

using sys::Errno;

Answer Session::init(Exchange& exchange, const abi::InitIn& in) {
  abi::InitOut out{};
  out.major = abi::major_version;
  out.minor = abi::minor_version;
  if (in.major > abi::major_version) return exchange.reply(out);  // the kernel repeats INIT with our version
  if (in.major < abi::major_version || in.minor < abi::oldest_minor) return Errno{EPROTO};

  namespace init = abi::init;
  const std::uint64_t offered = in.flags | ((in.flags & init::init_ext) != 0 ? std::uint64_t{in.flags2} << 32U : 0);
  std::uint64_t wanted = init::async_read | init::export_support | init::big_writes | init::dont_mask |
                         init::async_dio | init::parallel_dirops | init::max_pages | init::cache_symlinks |
                         init::explicit_inval_data | init::handle_killpriv_v2 | init::setxattr_ext | init::init_ext |
                         init::has_resend;
  wanted |= init::no_opendir_support;
  // In a read set, a listing with attributes would count as reading every entry. Not READDIRPLUS_AUTO: all that follows
  // the first 32 KiB of a listing would be looked up name by name.
  if (filter_ == nullptr || !filter_->records_reads()) wanted |= init::do_readdirplus;
  if (!answers_open_) wanted |= init::no_open_support;
  // Only where every OPEN is answered may it truncate: without OPEN the truncation is lost.
  if (options_.mode == Mode::passthrough) wanted |= init::passthrough | init::atomic_o_trunc;
  if (options_.writeback) wanted |= init::writeback_cache;
  if (options_.access_lists) wanted |= init::posix_acl;
  if (options_.idmap) wanted |= init::allow_idmap;
  if (ring_offered_) wanted |= init::over_io_uring;
  const std::uint64_t agreed = offered & wanted;
  out.flags = static_cast<std::uint32_t>(agreed);
  out.flags2 = static_cast<std::uint32_t>(agreed >> 32U);
  out.max_readahead = in.max_readahead;
  out.max_write = max_write;
  out.max_pages = max_pages;
  out.max_background = 64;
  out.congestion_threshold = 48;
  out.time_gran = 1;
  passes_through_.store((agreed & init::passthrough) != 0);
  // Real files must not lie on a stacked file system themselves; a kernel overlay may use this mount as its lower.
  if (passes_through()) out.max_stack_depth = 1;
  slots_.set_resendable((offered & init::has_resend) != 0);
  Reply reply = exchange.reply(out);
  reply.afterwards = (agreed & init::over_io_uring) != 0 ? &Session::agree_to_ring : &Session::refuse_ring;
  return reply;
}

// Entries may be registered from now on; until they are, the kernel lets all other requests wait.
void Session::agree_to_ring(const Exchange& /*exchange*/) {
  ring_.store(Ring::agreed);
  ring_.notify_all();
}

void Session::refuse_ring(const Exchange& /*exchange*/) {
  ring_.store(Ring::refused);
  ring_.notify_all();
}

Answer Session::nothing(Exchange& /*exchange*/) { return Reply(); }

void Session::ignore(Exchange& /*exchange*/) {}

// The interrupted request is answered EINTR if it ends early.
void Session::interrupt(Exchange& /*exchange*/, const abi::InterruptIn& in) { in_flight_.interrupt(in.unique); }

Answer Session::statfs(Exchange& exchange) {
  const auto status = file_system_.statistics();
  if (!status.ok()) return status.error();
  abi::Kstatfs out{};
  out.blocks = status->blocks;
  out.bfree = status->blocks_free;
  out.bavail = status->blocks_available;
  out.files = status->files;
  out.ffree = status->files_free;
  out.bsize = status->block_size;
  out.namelen = status->name_length;
  out.frsize = status->fragment_size;
  return exchange.reply(out);
}

Answer Session::syncfs(Exchange& /*exchange*/) {
  if (!options_.synchronous) return Errno{ENOSYS};  // the kernel does not ask again
  return answer_of(file_system_.sync_all());
}

}  // namespace lamina::server
