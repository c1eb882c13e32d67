// Opening and closing of files.
#include "server/session.h"

namespace lamina::server {

using sys::Errno;

namespace {
abi::OpenOut opened() {
  abi::OpenOut out{};
  out.open_flags = abi::open::keep_cache | abi::open::noflush;
  return out;
}
}  // namespace

Answer Session::open(Exchange& exchange, const abi::OpenIn& in) {
  if (!answers_open_) return Errno{ENOSYS};
  const Opening opening{exchange.node(), in.flags, (in.open_flags & abi::open_kill_suidgid) != 0};
  const Subject target = subject(exchange.node());
  if (opening.writes() || (opening.flags & O_TRUNC) != 0) {
    LAMINA_TRY(guard_file(exchange.node(), target));
    const bool appends = (in.flags & O_APPEND) != 0 && (in.flags & O_TRUNC) == 0;
    LAMINA_TRY(file_system_.may_write(exchange.node(), appends));
  }
  if (options_.mode == Mode::servicing) return exchange.reply(opened());
  LAMINA_ASSIGN(const abi::OpenOut out, open_through(exchange, opening));
  return exchange.reply(out);
}

Answer Session::create(Exchange& exchange, const abi::CreateIn& in, std::string_view name) {
  // Without CREATE the kernel makes the file by MKNOD and opens it without a request.
  if (!answers_open_) return Errno{ENOSYS};
  const Subject made = subject(exchange.node(), name);
  LAMINA_TRY(guard(made));
  const auto entry =
      file_system_.make_node(exchange.node(), name, in.mode, 0, 0, exchange.caller(in.umask), exchange.attempt());
  if (!entry.ok()) return entry.error();
  changed(exchange, filter::Operation::create, made);
  return opened_answer(exchange, *entry, in.flags);
}

// The kernel opens such a file in any mode. Writes to it are recorded once it has a name.
Answer Session::tmpfile(Exchange& exchange, const abi::CreateIn& in) {
  const auto entry = file_system_.make_unnamed(exchange.node(), in.mode, exchange.caller(in.umask));
  if (!entry.ok()) return entry.error();
  return opened_answer(exchange, *entry, in.flags);
}

Answer Session::opened_answer(Exchange& exchange, overlay::Entry entry, std::uint32_t flags) {
  exchange.slot().raised(entry.node);
  abi::OpenOut body = opened();
  if (options_.mode == Mode::passthrough) {
    // It is new: there is nothing to truncate.
    const Opening opening{entry.node, flags & ~static_cast<std::uint32_t>(O_TRUNC)};
    LAMINA_ASSIGN(body, open_through(exchange, opening));
    const auto attributes = file_system_.attributes(entry.node);
    entry.attributes.unseen = attributes.ok() ? attributes->unseen : overlay::Unseen::anything;
  }
  return exchange.reply(to_entry(entry), body);
}

Answer Session::release(Exchange& exchange, const abi::ReleaseIn& in) {
  if (options_.mode == Mode::passthrough) close_through(exchange, exchange.node(), in.fh);
  return Reply();
}

}  // namespace lamina::server
