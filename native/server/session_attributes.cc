// Attributes and extended attributes.
#include <linux/capability.h>
#include <linux/stat.h>

#include "server/session.h"
#include "sys/process.h"
#include "sys/xattrs.h"

namespace lamina::server {

using filter::ReadKind;
using overlay::SetAttributes;
using sys::Errno;

namespace {
// Nanoseconds. A database asks for the size of its tables in each query, and maps none of them; who maps a file and
// writes to it sees the times of before for that long at most.
constexpr std::uint32_t validity_of_size = 10'000'000;
}  // namespace

Answer Session::getattr(Exchange& exchange, const abi::GetattrIn& in) {
  const auto attributes = file_system_.attributes(exchange.node());
  if (!attributes.ok()) return attributes.error();
  abi::AttrOut out{};
  out.attr_valid = validity_of(*attributes);
  // Only who needs the size alone asks by a handle: lseek(2) to the end, not stat(2) (fuse_update_attributes() and
  // fuse_getattr() of fs/fuse/dir.c).
  if (attributes->unseen == overlay::Unseen::times && (in.getattr_flags & abi::getattr_by_handle) != 0)
    out.attr_valid_nsec = validity_of_size;
  out.attr = to_attr(*attributes);
  return exchange.reply(out);
}

namespace {
SetAttributes::Time time_of(bool now, std::uint64_t seconds, std::uint32_t nanoseconds) {
  return {now, {static_cast<std::int64_t>(seconds), nanoseconds}};
}

SetAttributes change_of(const abi::SetattrIn& in) {
  namespace valid = abi::setattr;
  SetAttributes change;
  if ((in.valid & valid::mode) != 0) change.mode = in.mode;
  if ((in.valid & valid::uid) != 0) change.uid = in.uid;
  if ((in.valid & valid::gid) != 0) change.gid = in.gid;
  if ((in.valid & valid::size) != 0) change.size = in.size;
  if ((in.valid & (valid::atime | valid::atime_now)) != 0) {
    change.atime = time_of((in.valid & valid::atime_now) != 0, in.atime, in.atimensec);
  }
  if ((in.valid & (valid::mtime | valid::mtime_now)) != 0) {
    change.mtime = time_of((in.valid & valid::mtime_now) != 0, in.mtime, in.mtimensec);
  }
  change.kill_suidgid = (in.valid & valid::kill_suidgid) != 0;
  return change;
}

abi::SxTime to_sx(const overlay::Timestamp& time) { return {time.seconds, time.nanoseconds, 0}; }
}  // namespace

Answer Session::setattr(Exchange& exchange, const abi::SetattrIn& in) {
  const Subject target = subject(exchange.node());
  LAMINA_TRY(guard_file(exchange.node(), target));
  SetAttributes change = change_of(in);
  LAMINA_TRY(check_group(exchange, exchange.node(), change));
  const auto attributes = set_attributes(exchange, change);
  if (!attributes.ok()) return attributes.error();
  if (change.size) changed(exchange, filter::Operation::truncate, target);
  if (change.uid || change.gid) changed(exchange, filter::Operation::chown, target);
  if (change.mode) changed(exchange, filter::Operation::chmod, target);
  if ((change.atime || change.mtime) && !change.size) changed(exchange, filter::Operation::utimes, target);
  abi::AttrOut out{};
  out.attr_valid = validity_of(*attributes);
  out.attr = to_attr(*attributes);
  return exchange.reply(out);
}

Answer Session::statx(Exchange& exchange) {
  const auto attributes = file_system_.attributes(exchange.node());
  if (!attributes.ok()) return attributes.error();
  abi::StatxOut out{};
  out.attr_valid = validity_of(*attributes);
  abi::Statx& stat = out.stat;
  stat.mask = STATX_BASIC_STATS;
  if (attributes->btime != overlay::Timestamp()) stat.mask |= STATX_BTIME;  // not every file system has it
  stat.blksize = attributes->block_size;
  stat.nlink = attributes->nlink;
  stat.uid = attributes->uid;
  stat.gid = attributes->gid;
  stat.mode = static_cast<std::uint16_t>(attributes->mode);
  stat.ino = attributes->ino;
  stat.size = attributes->size;
  stat.blocks = attributes->blocks;
  stat.atime = to_sx(attributes->atime);
  stat.btime = to_sx(attributes->btime);
  stat.ctime = to_sx(attributes->ctime);
  stat.mtime = to_sx(attributes->mtime);
  stat.rdev_major = attributes->rdev_major;
  stat.rdev_minor = attributes->rdev_minor;
  return exchange.reply(out);
}

namespace {
// A size of 0 asks how long the value is.
template <typename Value>
Answer sized_answer(Exchange& exchange, std::uint32_t room, Value value) {
  if (room == 0) return exchange.reply(abi::GetxattrOut{static_cast<std::uint32_t>(value.size()), 0});
  if (value.size() > room) return Errno{ERANGE};
  return exchange.reply_kept(std::move(value));
}
}  // namespace

Answer Session::getxattr(Exchange& exchange, const abi::GetxattrIn& in, std::string_view name) {
  if (!options_.xattrs) return Errno{ENOSYS};  // the kernel does not send it again
  auto value = file_system_.xattr(exchange.node(), name);
  was_read(ReadKind::xattr, exchange.node());
  if (!value.ok()) return value.error();
  return sized_answer(exchange, in.size, std::move(*value));
}

// trusted.* shows to CAP_SYS_ADMIN alone (xattr(7)). The kernel enforces that when one is read or written, not when
// they are listed. If a caller's capabilities cannot be read, its uid decides.
std::string Session::visible_names(Exchange& exchange, std::string names) {
  constexpr std::string_view trusted = "trusted.";
  if (names.find(trusted) == std::string::npos) return names;
  const overlay::Caller caller = exchange.caller();
  const auto privileged = sys::has_capability_here(caller.pid, CAP_SYS_ADMIN);
  if (privileged.ok() ? *privileged : caller.uid == 0) return names;
  std::string visible;
  sys::for_each_name(names, [&](std::string_view name) {
    if (!name.starts_with(trusted)) visible.append(name).push_back('\0');
  });
  return visible;
}

Answer Session::listxattr(Exchange& exchange, const abi::GetxattrIn& in) {
  if (!options_.xattrs) return Errno{ENOSYS};  // the kernel does not send it again
  auto names = file_system_.xattr_names(exchange.node());
  if (!names.ok()) return names.error();
  was_read(ReadKind::xattr, exchange.node());
  return sized_answer(exchange, in.size, visible_names(exchange, std::move(*names)));
}

// An access list set by a caller outside the owning group clears setgid (posix_acl_update_mode of the kernel).
sys::Status Session::kill_setgid(Exchange& exchange) {
  LAMINA_ASSIGN(const overlay::Attributes present, file_system_.attributes(exchange.node()));
  if ((present.mode & setgid) == 0) return {};
  SetAttributes change;
  change.mode = present.mode & permission_bits & ~setgid;
  const auto cleared = file_system_.set_attributes(exchange.node(), change, exchange.interrupted());
  return cleared.ok() ? sys::Status() : sys::Status(cleared.error());
}

Answer Session::setxattr(Exchange& exchange, const abi::SetxattrIn& in, std::string_view name,
                         std::span<const std::byte> rest) {
  if (!options_.xattrs) return Errno{ENOSYS};  // the kernel does not send it again
  if (rest.size() < in.size) return Errno{EINVAL};
  const Subject target = subject(exchange.node());
  LAMINA_TRY(guard_file(exchange.node(), target));
  auto status = file_system_.set_xattr(exchange.node(), name, rest.first(in.size), static_cast<int>(in.flags),
                                       exchange.attempt());
  if (status.ok() && (in.setxattr_flags & abi::setxattr_acl_kill_sgid) != 0) status = kill_setgid(exchange);
  if (status.ok()) changed(exchange, filter::Operation::setxattr, target, name);
  invalidate_replacement(exchange);
  invalidate_renumbered(exchange);
  return answer_of(status);
}

Answer Session::removexattr(Exchange& exchange, std::string_view name) {
  if (!options_.xattrs) return Errno{ENOSYS};  // the kernel does not send it again
  const Subject target = subject(exchange.node());
  LAMINA_TRY(guard_file(exchange.node(), target));
  const auto status = file_system_.remove_xattr(exchange.node(), name, exchange.attempt());
  if (status.ok()) changed(exchange, filter::Operation::removexattr, target, name);
  invalidate_replacement(exchange);
  invalidate_renumbered(exchange);
  return answer_of(status);
}

}  // namespace lamina::server
