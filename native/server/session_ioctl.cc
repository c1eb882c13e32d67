// ioctl(2): the flags of chattr(1). The kernel sends them itself, by fixed sizes (fs/fuse/ioctl.c, fuse_fileattr_get
// and _set), however files are opened.
#include <linux/fs.h>

#include <cstring>

#include "server/session.h"

namespace lamina::server {

using sys::Errno;

namespace {

template <typename Value>
Answer value_answer(Exchange& exchange, const sys::Result<Value>& value) {
  if (!value.ok()) return value.error();
  return exchange.reply(abi::IoctlOut{}, *value);
}

template <typename Value>
std::optional<Value> value_of(std::span<const std::byte> bytes) {
  if (bytes.size() < sizeof(Value)) return std::nullopt;
  Value value;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

}  // namespace

Answer Session::ioctl(Exchange& exchange, const abi::IoctlIn& in, std::span<const std::byte> rest) {
  const Subject target = subject(exchange.node());
  const bool sets = in.cmd == FS_IOC_SETFLAGS || in.cmd == FS_IOC_FSSETXATTR;
  if (in.cmd == FS_IOC_GETFLAGS && in.out_size == sizeof(std::uint32_t)) {
    return value_answer(exchange, file_system_.flags(exchange.node()));
  }
  if (in.cmd == FS_IOC_FSGETXATTR && in.out_size == sizeof(fsxattr)) {
    return value_answer(exchange, file_system_.extended_flags(exchange.node()));
  }
  if (!sets) return Errno{ENOTTY};
  LAMINA_TRY(guard_file(exchange.node(), target));
  sys::Status status{Errno{EINVAL}};
  if (in.cmd == FS_IOC_SETFLAGS) {
    if (const auto flags = value_of<std::uint32_t>(rest)) status = file_system_.set_flags(exchange.node(), *flags);
  } else if (const auto flags = value_of<fsxattr>(rest)) {
    status = file_system_.set_extended_flags(exchange.node(), *flags);
  }
  invalidate_renumbered(exchange);
  LAMINA_TRY(status);
  return exchange.reply(abi::IoctlOut{});
}

}  // namespace lamina::server
