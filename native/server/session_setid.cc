// setuid and setgid, which a change of the content clears (inode(7), "The set-group-ID bit"). The kernel leaves that to
// us (HANDLE_KILLPRIV_V2) and keeps caching the old mode, by which it would run the file: so it is invalidated.
#include <linux/capability.h>

#include <algorithm>

#include "server/session.h"
#include "sys/process.h"
#include "sys/status.h"

namespace lamina::server {

using overlay::NodeId;
using overlay::SetAttributes;
using sys::Result;
using sys::Status;

namespace {

bool program_setgid(std::uint32_t mode) { return (mode & (setgid | group_execute)) == (setgid | group_execute); }

}  // namespace

// Whether the caller is outside a group. True if that cannot be read.
bool Session::is_outside_group(const Exchange& exchange, std::uint32_t group) {
  const overlay::Caller caller = exchange.caller();
  if (caller.gid == group) return false;
  const auto groups = sys::groups_of(caller.pid);
  return !groups.ok() || std::find(groups->begin(), groups->end(), group) == groups->end();
}

// FALLOCATE and COPY_FILE_RANGE do not say whether the caller may keep setuid.
bool Session::keeps_setid(const Exchange& exchange) {
  const std::uint32_t uid = exchange.header().uid;
  if (uid != 0 && uid != abi::unknown_id) return false;
  const auto privileged = sys::has_capability_here(exchange.caller().pid, CAP_FSETID);
  return privileged.ok() ? *privileged : uid == 0;
}

// For a change that clears setuid: whether setgid without group execute is cleared too (setattr_should_drop_sgid of the
// kernel).
Status Session::check_group(const Exchange& exchange, NodeId node, SetAttributes& change) {
  if (!change.kill_suidgid) return {};
  LAMINA_ASSIGN(const overlay::Attributes present, file_system_.attributes(node));
  const bool in_question = (present.mode & setgid) != 0 && !program_setgid(present.mode);
  // With chown the kernel requests it for every caller.
  change.outside_group = in_question && !keeps_setid(exchange) && is_outside_group(exchange, present.gid);
  return {};
}

// Makes the kernel request a node's attributes again.
Status Session::forget_attributes(const Exchange& exchange, NodeId node) {
  const Status invalidated = exchange.invalidate_attributes(node);
  // ENOENT: the kernel has just forgotten the node.
  return invalidated.failed_with(ENOENT) ? Status() : invalidated;
}

// Mode and group of a file as users see them; from the real file where that has them, without a lookup.
Result<Session::Standing> Session::standing_of(NodeId node, const overlay::RealFile& file) {
  if (file_system_.shows_inodes()) {
    LAMINA_ASSIGN(const sys::FileStatus status, sys::status_of(file.descriptor()));
    return Standing{status.mode, status.gid};
  }
  LAMINA_ASSIGN(const overlay::Attributes attributes, file_system_.attributes(node));
  return Standing{attributes.mode, attributes.gid};
}

// Before an unprivileged write.
Status Session::kill_suidgid(Exchange& exchange, NodeId node, const overlay::RealFile& file) {
  LAMINA_ASSIGN(const Standing status, standing_of(node, file));
  if ((status.mode & (setuid | setgid)) == 0) return {};
  SetAttributes change;
  change.kill_suidgid = true;
  if ((status.mode & setgid) != 0 && !program_setgid(status.mode))
    change.outside_group = is_outside_group(exchange, status.gid);
  if ((status.mode & setuid) == 0 && !program_setgid(status.mode) && !change.outside_group) return {};
  const auto cleared = file_system_.set_attributes(node, change, exchange.interrupted());
  if (!cleared.ok()) return cleared.error();
  return forget_attributes(exchange, node);
}

// Before a change of content of which the kernel does not say whether the caller may keep them. What the caller may is
// asked last: it takes five calls, and hardly any file has them.
Status Session::kill_suidgid_unless_kept(Exchange& exchange, NodeId node, const overlay::RealFile& file) {
  LAMINA_ASSIGN(const Standing status, standing_of(node, file));
  if ((status.mode & (setuid | setgid)) == 0 || keeps_setid(exchange)) return {};
  return kill_suidgid(exchange, node, file);
}

}  // namespace lamina::server
