// Files whose data bypass the server (docs/decisions, "Passthrough by file").
#include <linux/capability.h>

#include <optional>

#include "server/session.h"
#include "sys/process.h"

namespace lamina::server {

using overlay::Access;
using overlay::Attributes;
using overlay::NodeId;
using overlay::SetAttributes;
using sys::Errno;
using sys::Result;
using sys::Status;

namespace {

// A smaller file of a lower is read in one message, through the server: so it can be copied up under all its
// descriptors.
constexpr std::uint64_t smallest_lower = std::uint64_t{128} * 1024;

// The content of a handle.
constexpr std::uint64_t counted_as_other = 1;

// setgid without group execute: a write by a group member keeps it, and the real file system does not know the caller's
// groups.
bool marks_locking(std::uint32_t mode) { return (mode & (setgid | group_execute)) == setgid; }

}  // namespace

// The open descriptors of a lower's file stay with it: they keep reading its old content. The names lead to another
// node.
Status Session::detach_open_lower(const Exchange& exchange, NodeId node, const OpenFile& file) {
  if (file.opens == 0 || file.backing_id == 0 || !file.lower) return {};
  LAMINA_TRY(file_system_.replace_node(node));
  LAMINA_TRY(forget_attributes(exchange, node));
  // The kernel resolves the path once more, and reaches the other node.
  return Errno{ESTALE};
}

// The first opening decides for all that follow before the last release.
Status Session::begin_open(Exchange& exchange, const Opening& opening, OpenFile& file) {
  LAMINA_ASSIGN(file.lower, file_system_.data_in_lower(opening.node));
  LAMINA_ASSIGN(const Attributes attributes, file_system_.attributes(opening.node));
  const bool others_write = opening.writes() && !opening.as_root;
  if (opening.writes() ? others_write && marks_locking(attributes.mode)
                       : file.lower && attributes.size < smallest_lower)
    return {};
  if (opening.writes()) file.lower = false;
  LAMINA_ASSIGN(const overlay::RealFileRef real,
                file_system_.file(opening.node, opening.access(), exchange.interrupted()));
  invalidate_renumbered(exchange);
  // The real file system clears setuid at writes without CAP_FSETID, and checks that in the thread that registers the
  // file.
  file.keeps_suid = opening.as_root;
  std::optional<sys::WithoutCapability> without;
  if (!file.keeps_suid) {
    without.emplace(CAP_FSETID);
    LAMINA_TRY(without->status());
  }
  LAMINA_ASSIGN(file.backing_id, exchange.open_backing(real->descriptor()));
  return {};
}

Status Session::join_open(Exchange& exchange, const Opening& opening, OpenFile& file) {
  if (!opening.writes() || file.backing_id == 0) return {};
  LAMINA_TRY(detach_open_lower(exchange, opening.node, file));
  if (!file.keeps_suid || opening.as_root) return {};
  // Another user opens the file besides root: setuid is cleared now, because that user's writes could not clear it.
  SetAttributes change;
  change.kill_suidgid = true;
  LAMINA_TRY(check_group(exchange, opening.node, change));
  const auto cleared = file_system_.set_attributes(opening.node, change, exchange.interrupted());
  return cleared.ok() ? Status() : Status(cleared.error());
}

// Root that lacks CAP_FSETID is checked only where setuid could be lost: that costs more than the opening.
Result<bool> Session::opens_as_root(const Exchange& exchange, const Opening& opening) {
  const std::uint32_t uid = exchange.header().uid;
  if (!opening.writes() || (uid != 0 && uid != abi::unknown_id)) return false;
  if (uid == abi::unknown_id) return keeps_setid(exchange);
  LAMINA_ASSIGN(const Attributes attributes, file_system_.attributes(opening.node));
  return (attributes.mode & (setuid | setgid)) == 0 || keeps_setid(exchange);
}

Result<abi::OpenOut> Session::open_through(Exchange& exchange, Opening opening) {
  if (file_system_.replacement(opening.node)) return Errno{ESTALE};
  LAMINA_ASSIGN(opening.as_root, opens_as_root(exchange, opening));
  const auto file = open_files_.hold(opening.node);
  if ((opening.flags & O_TRUNC) != 0) {
    LAMINA_TRY(detach_open_lower(exchange, opening.node, *file));
    SetAttributes change;
    change.size = 0;
    change.kill_suidgid = opening.kill_suidgid;
    LAMINA_TRY(check_group(exchange, opening.node, change));
    const auto truncated = file_system_.set_attributes(opening.node, change, exchange.interrupted());
    if (!truncated.ok()) return truncated.error();
    if (change.kill_suidgid) LAMINA_TRY(forget_attributes(exchange, opening.node));
  }
  LAMINA_TRY(file->opens == 0 ? begin_open(exchange, opening, *file) : join_open(exchange, opening, *file));
  abi::OpenOut out{};
  out.open_flags = abi::open::noflush;
  out.backing_id = file->backing_id;
  if (file->backing_id != 0) {
    out.open_flags |= abi::open::passthrough;
  } else if (file->lower || file->opens > 0) {
    out.open_flags |= abi::open::keep_cache;  // else unseen writes made the kernel's cache stale
  }
  ++file->opens;
  exchange.opened({opening.node, 0});
  if (!opening.writes() || file->backing_id == 0) return out;
  if (file->keeps_suid && !opening.as_root) {
    ++file->others;
    out.fh = counted_as_other;
    exchange.opened({opening.node, out.fh});
  }
  LAMINA_TRY(expect_writes(exchange, opening));
  return out;
}

// The kernel's cached attributes may be wrong from now on.
Status Session::expect_writes(const Exchange& exchange, const Opening& opening) {
  LAMINA_TRY(file_system_.expect_unseen_writes(opening.node, (opening.flags & O_ACCMODE) == O_RDWR));
  LAMINA_ASSIGN(const Attributes attributes, file_system_.attributes(opening.node));
  return attributes.unseen == overlay::Unseen::nothing ? Status() : forget_attributes(exchange, opening.node);
}

void Session::drop_open(const Exchange& exchange, OpenFile& file, std::uint64_t handle) {
  if (file.opens == 0) return;
  if (handle == counted_as_other) --file.others;
  // It fails only when the mount is gone, and then the kernel has forgotten the name.
  if (--file.opens == 0 && file.backing_id != 0) static_cast<void>(exchange.close_backing(file.backing_id));
}

void Session::close_through(const Exchange& exchange, NodeId node, std::uint64_t handle) {
  const auto file = open_files_.hold(node);
  drop_open(exchange, *file, handle);
}

Result<Attributes> Session::set_attributes(Exchange& exchange, SetAttributes change) {
  const NodeId node = exchange.node();
  if (options_.mode != Mode::passthrough || (!change.size && !change.mode)) {
    auto changed = file_system_.set_attributes(node, change, exchange.interrupted());
    invalidate_replacement(exchange);
    invalidate_renumbered(exchange);
    return changed;
  }
  const auto file = open_files_.hold(node);
  if (change.size) LAMINA_TRY(detach_open_lower(exchange, node, *file));
  // As if the other users wrote at once, as non-members of the file's group.
  if (change.mode && file->others > 0) *change.mode &= ~(setuid | setgid);
  auto changed = file_system_.set_attributes(node, change, exchange.interrupted());
  invalidate_replacement(exchange);
  invalidate_renumbered(exchange);
  return changed;
}

// The kernel attributes writes by an old node's descriptor to that node only.
void Session::invalidate_replacement(const Exchange& exchange) {
  if (options_.mode != Mode::passthrough) return;
  if (const auto other = file_system_.replacement(exchange.node()))
    static_cast<void>(exchange.invalidate_attributes(*other));
}

}  // namespace lamina::server
