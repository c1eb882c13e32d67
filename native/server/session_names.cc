// Names: looking them up, making, linking, renaming and removing them.
#include <sys/stat.h>

#include <linux/fs.h>

#include <cstring>

#include "server/session.h"

namespace lamina::server {

using filter::ReadKind;
using overlay::RenameMode;
using sys::Errno;

namespace {
// The inverse of the kernel's new_encode_dev.
std::uint32_t device_major(std::uint32_t device) { return (device & 0xFFF00U) >> 8U; }
std::uint32_t device_minor(std::uint32_t device) { return (device & 0xFFU) | ((device >> 12U) & 0xFFF00U); }

// EINVAL for flags of renameat2(2) that file systems do not know.
sys::Result<RenameMode> rename_mode(std::uint32_t flags) {
  switch (flags) {
    case 0:
      return RenameMode::replace;
    case RENAME_NOREPLACE:
      return RenameMode::no_replace;
    case RENAME_EXCHANGE:
      return RenameMode::exchange;
    case RENAME_WHITEOUT:
      return RenameMode::leave_device;
    default:
      return Errno{EINVAL};
  }
}
}  // namespace

Answer Session::entry_answer(Exchange& exchange, const sys::Result<overlay::Entry>& entry) {
  if (!entry.ok()) return entry.error();
  exchange.slot().raised(entry->node);
  return exchange.reply(to_entry(*entry));
}

Answer Session::lookup(Exchange& exchange, std::string_view name) {
  const auto entry = file_system_.lookup(exchange.node(), name);
  if (filter_ != nullptr && filter_->records_reads()) {
    const bool by_handle = name == "." || name == "..";  // open_by_handle_at(2)
    if (entry.ok()) was_read(ReadKind::found, by_handle ? subject(entry->node) : subject(exchange.node(), name));
    if (entry.failed_with(ENOENT)) was_read(ReadKind::absent, subject(exchange.node(), name));
  }
  if (!entry.failed_with(ENOENT)) return entry_answer(exchange, entry);
  // Node 0 with a time: the kernel caches the absence.
  abi::EntryOut absent{};
  absent.entry_valid = forever;
  return exchange.reply(absent);
}

void Session::forget(Exchange& exchange, const abi::ForgetIn& in) { file_system_.forget(exchange.node(), in.nlookup); }

void Session::batch_forget(Exchange& /*exchange*/, const abi::BatchForgetIn& in, std::span<const std::byte> rest) {
  for (std::uint32_t i = 0; i < in.count && rest.size() >= sizeof(abi::ForgetOne); ++i) {
    abi::ForgetOne one;
    std::memcpy(&one, rest.data(), sizeof one);
    rest = rest.subspan(sizeof one);
    file_system_.forget(one.nodeid, one.nlookup);
  }
}

Answer Session::mknod(Exchange& exchange, const abi::MknodIn& in, std::string_view name) {
  const Subject made = subject(exchange.node(), name);
  LAMINA_TRY(guard(made));
  const auto entry = file_system_.make_node(exchange.node(), name, in.mode, device_major(in.rdev),
                                            device_minor(in.rdev), exchange.caller(in.umask), exchange.attempt());
  if (entry.ok())
    changed(exchange, (in.mode & S_IFMT) == S_IFREG ? filter::Operation::create : filter::Operation::mknod, made);
  return entry_answer(exchange, entry);
}

Answer Session::mkdir(Exchange& exchange, const abi::MkdirIn& in, std::string_view name) {
  const Subject made = subject(exchange.node(), name);
  LAMINA_TRY(guard(made));
  const auto entry =
      file_system_.make_directory(exchange.node(), name, in.mode, exchange.caller(in.umask), exchange.attempt());
  if (entry.ok()) changed(exchange, filter::Operation::mkdir, made);
  return entry_answer(exchange, entry);
}

Answer Session::symlink(Exchange& exchange, std::string_view name, std::string_view target) {
  const Subject made = subject(exchange.node(), name);
  LAMINA_TRY(guard(made));
  const auto entry = file_system_.make_symlink(exchange.node(), name, target, exchange.caller(), exchange.attempt());
  if (entry.ok()) changed(exchange, filter::Operation::symlink, made, target);
  return entry_answer(exchange, entry);
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

Answer Session::link(Exchange& exchange, const abi::LinkIn& in, std::string_view name) {
  const Subject from = linked_subject(exchange, in.oldnodeid);
  const Subject made = subject(exchange.node(), name);
  // A new name changes the file: its link count, and by copy-up its place.
  LAMINA_TRY(guard_file(in.oldnodeid, from));
  LAMINA_TRY(guard(made));
  const auto entry = file_system_.link(in.oldnodeid, exchange.node(), name, exchange.interrupted(), exchange.attempt());
  invalidate_renumbered(exchange);
  // For the journal, a file without a name is created when it gets one.
  if (entry.ok() && from.watched) changed(exchange, filter::Operation::link, from, made.path);
  if (entry.ok() && !from.watched) changed(exchange, filter::Operation::create, made);
  return entry_answer(exchange, entry);
}

Answer Session::unlink(Exchange& exchange, std::string_view name) {
  const Subject gone = subject(exchange.node(), name);
  LAMINA_TRY(guard(gone));
  const auto status = file_system_.unlink(exchange.node(), name, exchange.attempt());
  if (status.ok()) changed(exchange, filter::Operation::unlink, gone);
  return answer_of(status);
}

Answer Session::rmdir(Exchange& exchange, std::string_view name) {
  const Subject gone = subject(exchange.node(), name);
  LAMINA_TRY(guard(gone));
  const auto status = file_system_.remove_directory(exchange.node(), name, exchange.attempt());
  was_read(ReadKind::whole, gone);
  if (status.ok()) changed(exchange, filter::Operation::rmdir, gone);
  return answer_of(status);
}

Answer Session::rename(Exchange& exchange, const abi::RenameIn& in, std::string_view name, std::string_view new_name) {
  return rename_names(exchange, name, in.newdir, new_name, 0);
}

Answer Session::rename2(Exchange& exchange, const abi::Rename2In& in, std::string_view name,
                        std::string_view new_name) {
  return rename_names(exchange, name, in.newdir, new_name, in.flags);
}

Answer Session::rename_names(Exchange& exchange, std::string_view name, overlay::NodeId new_parent,
                             std::string_view new_name, std::uint32_t flags) {
  const auto mode = rename_mode(flags);
  if (!mode) return mode.error();
  const Subject from = subject(exchange.node(), name);
  const Subject to = subject(new_parent, new_name);
  for (const Subject* each : {&from, &to}) {
    LAMINA_TRY(guard(*each));
  }
  LAMINA_TRY(guard_below(exchange.node(), name, from, to));
  if (*mode == RenameMode::exchange) {
    LAMINA_TRY(guard_below(new_parent, new_name, from, to));
  }
  const auto status = file_system_.rename(exchange.node(), name, new_parent, new_name, *mode, exchange.interrupted(),
                                          exchange.attempt());
  invalidate_renumbered(exchange);
  for (const Subject* each : {&from, &to}) was_read(ReadKind::whole, *each);
  if (!status.ok()) return status.error();
  changed(exchange, *mode == RenameMode::exchange ? filter::Operation::exchange : filter::Operation::rename, from,
          to.path);
  if (*mode == RenameMode::leave_device) changed(exchange, filter::Operation::mknod, from);
  return answer_of(status);
}

Answer Session::readlink(Exchange& exchange) {
  auto target = file_system_.read_link(exchange.node());
  if (!target.ok()) return target.error();
  was_read(ReadKind::link, exchange.node());
  return exchange.reply_kept(std::move(*target));
}

}  // namespace lamina::server
