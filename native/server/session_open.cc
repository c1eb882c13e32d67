// Opening and closing of files.
#include "server/session.h"

namespace lamina::server {

using filter::ReadKind;

namespace {
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
  const Opening opening{exchange.node(), in->flags, (in->open_flags & abi::open_kill_suidgid) != 0};
  const Subject target = subject(exchange.node());
  if (opening.writes() || (opening.flags & O_TRUNC) != 0) {
    if (const auto refused = guard_file(exchange.node(), target); !refused.ok()) return exchange.answer_status(refused);
    const bool appends = (in->flags & O_APPEND) != 0 && (in->flags & O_TRUNC) == 0;
    if (const auto refused = file_system_.may_write(exchange.node(), appends); !refused.ok()) {
      return exchange.answer_status(refused);
    }
  }
  was_read(ReadKind::opened, target);
  if (options_.mode == Mode::servicing) {
    exchange.answer_with(opened());
    return;
  }
  const auto out = open_through(exchange, opening);
  if (!out.ok()) return exchange.answer_error(out.error().value);
  if (!exchange.answer_with(*out)) close_through(exchange, exchange.node(), out->fh);
}

void Session::create(Exchange& exchange) {
  // Without CREATE the kernel makes the file by MKNOD and opens it without a request.
  if (options_.mode == Mode::stateless) return exchange.answer_error(ENOSYS);
  const auto in = exchange.request().take<abi::CreateIn>();
  const auto name = exchange.request().take_name();
  if (!in || !name) return exchange.answer_error(EINVAL);
  const Subject made = subject(exchange.node(), *name);
  if (const auto refused = guard(made); !refused.ok()) return exchange.answer_status(refused);
  const auto entry =
      file_system_.make_node(exchange.node(), *name, in->mode, 0, 0, exchange.caller(in->umask), exchange.attempt());
  if (!entry.ok()) return exchange.answer_error(entry.error().value);
  changed(exchange, filter::Operation::create, made);
  answer_opened(exchange, *entry, in->flags);
}

// The kernel opens such a file in any mode. Writes to it are recorded once it has a name.
void Session::tmpfile(Exchange& exchange) {
  const auto in = exchange.request().take<abi::CreateIn>();
  if (!in) return exchange.answer_error(EINVAL);
  const auto entry = file_system_.make_unnamed(exchange.node(), in->mode, exchange.caller(in->umask));
  if (!entry.ok()) return exchange.answer_error(entry.error().value);
  answer_opened(exchange, *entry, in->flags);
}

void Session::answer_opened(Exchange& exchange, overlay::Entry entry, std::uint32_t flags) {
  abi::OpenOut body = opened();
  if (options_.mode == Mode::passthrough) {
    // It is new: there is nothing to truncate.
    const Opening opening{entry.node, flags & ~static_cast<std::uint32_t>(O_TRUNC)};
    const auto out = open_through(exchange, opening);
    if (!out.ok()) {
      file_system_.forget(entry.node, 1);
      return exchange.answer_error(out.error().value);
    }
    body = *out;
    const auto attributes = file_system_.attributes(entry.node);
    entry.attributes.fleeting = !attributes.ok() || attributes->fleeting;
  }
  const abi::EntryOut head = to_entry(entry);
  exchange.slot().raised(entry.node);
  if (exchange.answer(std::as_bytes(std::span(&head, 1)), std::as_bytes(std::span(&body, 1)))) return;
  if (options_.mode == Mode::passthrough) close_through(exchange, entry.node, body.fh);
  file_system_.forget(entry.node, 1);
}

void Session::release(Exchange& exchange) {
  const auto in = exchange.request().take<abi::ReleaseIn>();
  if (!in) return exchange.answer_error(EINVAL);
  if (options_.mode == Mode::passthrough) close_through(exchange, exchange.node(), in->fh);
  exchange.answer_empty();
}

void Session::release_directory(Exchange& exchange) { exchange.answer_empty(); }

// No write is delayed until a file is closed.
void Session::flush(Exchange& exchange) { exchange.answer_error(ENOSYS); }

}  // namespace lamina::server
