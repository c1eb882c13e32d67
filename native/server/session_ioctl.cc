// ioctl(2): the flags of chattr(1). The kernel sends them itself, by fixed sizes (fs/fuse/ioctl.c, fuse_fileattr_get and _set),
// however files are opened.
#include <linux/fs.h>

#include "server/session.h"

namespace lamina::server {

namespace {

template <typename Value>
void answer_value(Exchange& exchange, const sys::Result<Value>& value) {
  if (!value.ok()) return exchange.answer_error(value.error().value);
  const abi::IoctlOut out{};
  exchange.answer(std::as_bytes(std::span(&out, 1)), std::as_bytes(std::span(&*value, 1)));
}

}  // namespace

void Session::ioctl(Exchange& exchange) {
  const auto in = exchange.request().take<abi::IoctlIn>();
  if (!in) return exchange.answer_error(EINVAL);
  const Subject target = subject(exchange.node());
  const bool sets = in->cmd == FS_IOC_SETFLAGS || in->cmd == FS_IOC_FSSETXATTR;
  if (in->cmd == FS_IOC_GETFLAGS && in->out_size == sizeof(std::uint32_t)) {
    return answer_value(exchange, file_system_.flags(exchange.node()));
  }
  if (in->cmd == FS_IOC_FSGETXATTR && in->out_size == sizeof(fsxattr)) {
    return answer_value(exchange, file_system_.extended_flags(exchange.node()));
  }
  if (!sets) return exchange.answer_error(ENOTTY);
  if (const auto refused = guard_file(exchange.node(), target); !refused.ok()) return exchange.answer_status(refused);
  sys::Status status{sys::Errno{EINVAL}};
  if (in->cmd == FS_IOC_SETFLAGS) {
    if (const auto flags = exchange.request().take<std::uint32_t>()) status = file_system_.set_flags(exchange.node(), *flags);
  } else if (const auto flags = exchange.request().take<fsxattr>()) {
    status = file_system_.set_extended_flags(exchange.node(), *flags);
  }
  tell_renumbered(exchange);
  if (!status.ok()) return exchange.answer_status(status);
  exchange.answer_with(abi::IoctlOut{});
}

}  // namespace lamina::server
