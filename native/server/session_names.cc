// Names: looking them up, making, linking, renaming and removing them.
#include <linux/fs.h>

#include "server/session.h"

namespace lamina::server {

using filter::ReadKind;
using overlay::RenameMode;

namespace {
// The inverse of the kernel's new_encode_dev.
std::uint32_t device_major(std::uint32_t device) { return (device & 0xFFF00U) >> 8U; }
std::uint32_t device_minor(std::uint32_t device) { return (device & 0xFFU) | ((device >> 12U) & 0xFFF00U); }
}  // namespace

void Session::answer_entry(Exchange& exchange, const sys::Result<overlay::Entry>& entry) {
  if (!entry.ok()) return exchange.answer_error(entry.error().value);
  exchange.slot().raised(entry->node);
  if (!exchange.answer_with(to_entry(*entry))) file_system_.forget(entry->node, 1);
}

void Session::lookup(Exchange& exchange) {
  const auto name = exchange.request().take_name();
  if (!name) return exchange.answer_error(EINVAL);
  const auto entry = file_system_.lookup(exchange.node(), *name);
  if (filter_ != nullptr && filter_->records_reads()) {
    const bool by_handle = *name == "." || *name == "..";  // open_by_handle_at(2)
    if (entry.ok()) was_read(ReadKind::found, by_handle ? subject(entry->node) : subject(exchange.node(), *name));
    if (entry.failed_with(ENOENT)) was_read(ReadKind::absent, subject(exchange.node(), *name));
  }
  if (!entry.failed_with(ENOENT)) return answer_entry(exchange, entry);
  // Node 0 with a time: the kernel caches the absence.
  abi::EntryOut absent{};
  absent.entry_valid = forever;
  exchange.answer_with(absent);
}

// No answer is due to these two.
void Session::forget(Exchange& exchange) {
  if (const auto in = exchange.request().take<abi::ForgetIn>()) file_system_.forget(exchange.node(), in->nlookup);
}

void Session::batch_forget(Exchange& exchange) {
  const auto in = exchange.request().take<abi::BatchForgetIn>();
  for (std::uint32_t i = 0; in && i < in->count; ++i) {
    const auto one = exchange.request().take<abi::ForgetOne>();
    if (!one) break;
    file_system_.forget(one->nodeid, one->nlookup);
  }
}

void Session::mknod(Exchange& exchange) {
  const auto in = exchange.request().take<abi::MknodIn>();
  const auto name = exchange.request().take_name();
  if (!in || !name) return exchange.answer_error(EINVAL);
  const Subject made = subject(exchange.node(), *name);
  if (const auto refused = guard(made); !refused.ok()) return exchange.answer_status(refused);
  const auto entry = file_system_.make_node(exchange.node(), *name, in->mode, device_major(in->rdev), device_minor(in->rdev),
                                            exchange.caller(in->umask), exchange.attempt());
  if (entry.ok())
    changed(exchange, (in->mode & 0170000U) == 0100000U ? filter::Operation::create : filter::Operation::mknod, made);
  answer_entry(exchange, entry);
}

void Session::mkdir(Exchange& exchange) {
  const auto in = exchange.request().take<abi::MkdirIn>();
  const auto name = exchange.request().take_name();
  if (!in || !name) return exchange.answer_error(EINVAL);
  const Subject made = subject(exchange.node(), *name);
  if (const auto refused = guard(made); !refused.ok()) return exchange.answer_status(refused);
  const auto entry =
      file_system_.make_directory(exchange.node(), *name, in->mode, exchange.caller(in->umask), exchange.attempt());
  if (entry.ok()) changed(exchange, filter::Operation::mkdir, made);
  answer_entry(exchange, entry);
}

void Session::symlink(Exchange& exchange) {
  const auto name = exchange.request().take_name();
  const auto target = exchange.request().take_text();
  if (!name || !target) return exchange.answer_error(EINVAL);
  const Subject made = subject(exchange.node(), *name);
  if (const auto refused = guard(made); !refused.ok()) return exchange.answer_status(refused);
  const auto entry = file_system_.make_symlink(exchange.node(), *name, *target, exchange.caller(), exchange.attempt());
  if (entry.ok()) changed(exchange, filter::Operation::symlink, made, *target);
  answer_entry(exchange, entry);
}

// An attempt that has begun may have given the file its new name already.
Session::Subject Session::linked_subject(const Exchange& exchange, overlay::NodeId node) {
  if (filter_ != nullptr && exchange.attempt()->begun()) {
    return {!exchange.slot().noted().empty(), std::string(exchange.slot().noted())};
  }
  Subject found = subject(node);
  exchange.slot().note(found.path);
  return found;
}

void Session::link(Exchange& exchange) {
  const auto in = exchange.request().take<abi::LinkIn>();
  const auto name = exchange.request().take_name();
  if (!in || !name) return exchange.answer_error(EINVAL);
  const Subject from = linked_subject(exchange, in->oldnodeid);
  const Subject made = subject(exchange.node(), *name);
  // A new name changes the file: its link count, and by copy-up its place.
  if (const auto refused = guard_file(in->oldnodeid, from); !refused.ok()) return exchange.answer_status(refused);
  if (const auto refused = guard(made); !refused.ok()) return exchange.answer_status(refused);
  const auto entry = file_system_.link(in->oldnodeid, exchange.node(), *name, exchange.interrupted(), exchange.attempt());
  tell_renumbered(exchange);
  // For the journal, a file without a name is created when it gets one.
  if (entry.ok() && from.watched) changed(exchange, filter::Operation::link, from, made.path);
  if (entry.ok() && !from.watched) changed(exchange, filter::Operation::create, made);
  answer_entry(exchange, entry);
}

void Session::unlink(Exchange& exchange) {
  const auto name = exchange.request().take_name();
  if (!name) return exchange.answer_error(EINVAL);
  const Subject gone = subject(exchange.node(), *name);
  if (const auto refused = guard(gone); !refused.ok()) return exchange.answer_status(refused);
  const auto status = file_system_.unlink(exchange.node(), *name, exchange.attempt());
  if (status.ok()) changed(exchange, filter::Operation::unlink, gone);
  exchange.answer_status(status);
}

void Session::rmdir(Exchange& exchange) {
  const auto name = exchange.request().take_name();
  if (!name) return exchange.answer_error(EINVAL);
  const Subject gone = subject(exchange.node(), *name);
  if (const auto refused = guard(gone); !refused.ok()) return exchange.answer_status(refused);
  const auto status = file_system_.remove_directory(exchange.node(), *name, exchange.attempt());
  was_read(ReadKind::whole, gone);
  if (status.ok()) changed(exchange, filter::Operation::rmdir, gone);
  exchange.answer_status(status);
}

void Session::rename(Exchange& exchange) {
  const auto in = exchange.request().take<abi::RenameIn>();
  if (!in) return exchange.answer_error(EINVAL);
  rename_names(exchange, in->newdir, 0);
}

void Session::rename2(Exchange& exchange) {
  const auto in = exchange.request().take<abi::Rename2In>();
  if (!in) return exchange.answer_error(EINVAL);
  rename_names(exchange, in->newdir, in->flags);
}

void Session::rename_names(Exchange& exchange, overlay::NodeId new_parent, std::uint32_t flags) {
  const auto name = exchange.request().take_name();
  const auto new_name = exchange.request().take_name();
  if (!name || !new_name) return exchange.answer_error(EINVAL);
  // RENAME_WHITEOUT would let a user make one of our marks.
  if (flags != 0 && flags != RENAME_NOREPLACE && flags != RENAME_EXCHANGE) return exchange.answer_error(EINVAL);
  const RenameMode mode = flags == RENAME_NOREPLACE  ? RenameMode::no_replace
                          : flags == RENAME_EXCHANGE ? RenameMode::exchange
                                                     : RenameMode::replace;
  const Subject from = subject(exchange.node(), *name);
  const Subject to = subject(new_parent, *new_name);
  for (const Subject* each : {&from, &to}) {
    if (const auto refused = guard(*each); !refused.ok()) return exchange.answer_status(refused);
  }
  if (const auto refused = guard_below(exchange.node(), *name, from, to); !refused.ok()) return exchange.answer_status(refused);
  if (mode == RenameMode::exchange) {
    if (const auto refused = guard_below(new_parent, *new_name, from, to); !refused.ok()) return exchange.answer_status(refused);
  }
  const auto status =
      file_system_.rename(exchange.node(), *name, new_parent, *new_name, mode, exchange.interrupted(), exchange.attempt());
  tell_renumbered(exchange);
  for (const Subject* each : {&from, &to}) was_read(ReadKind::whole, *each);
  if (status.ok())
    changed(exchange, mode == RenameMode::exchange ? filter::Operation::exchange : filter::Operation::rename, from, to.path);
  exchange.answer_status(status);
}

void Session::readlink(Exchange& exchange) {
  const auto target = file_system_.read_link(exchange.node());
  if (!target.ok()) return exchange.answer_error(target.error().value);
  was_read(ReadKind::link, subject(exchange.node()));
  exchange.answer(std::as_bytes(std::span(target->data(), target->size())));
}

}  // namespace lamina::server
