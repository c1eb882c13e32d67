#include "fuse/channel.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <string>

#include "fuse/abi_messages.h"

namespace lamina::fuse {

namespace {
// FUSE_DEV_IOC_CLONE of linux/fuse.h: _IOR(229, 0, uint32_t)
constexpr unsigned long clone_request = _IOR(229, 0, std::uint32_t);
constexpr unsigned long backing_open_request = _IOW(229, 1, abi::BackingMap);
constexpr unsigned long backing_close_request = _IOW(229, 2, std::uint32_t);

sys::Status send(int descriptor, abi::OutHeader header, std::span<const std::byte> head,
                 std::span<const std::byte> body) {
  header.len = static_cast<std::uint32_t>(sizeof header + head.size() + body.size());
  const std::array<iovec, 3> parts{
      iovec{&header, sizeof header},
      iovec{const_cast<std::byte*>(head.data()), head.size()},
      iovec{const_cast<std::byte*>(body.data()), body.size()},
  };
  for (;;) {
    if (::writev(descriptor, parts.data(), static_cast<int>(parts.size())) >= 0) return {};
    if (errno != EINTR) return sys::last_error();
  }
}
}  // namespace

sys::Result<Channel> Channel::clone() const {
  sys::FileDescriptor copy(::open("/dev/fuse", O_RDWR | O_CLOEXEC));
  if (!copy.valid()) return sys::last_error();
  auto master = static_cast<std::uint32_t>(descriptor_.get());
  if (::ioctl(copy.get(), clone_request, &master) != 0) return sys::last_error();
  return Channel(std::move(copy));
}

sys::Result<std::size_t> Channel::receive(std::span<std::byte> buffer) const {
  for (;;) {
    const ssize_t size = ::read(descriptor_.get(), buffer.data(), buffer.size());
    if (size > 0) return static_cast<std::size_t>(size);
    if (size == 0) return sys::Errno{ENODEV};  // a socket whose other end is closed
    // ENOENT: a request was withdrawn between the wake-up and the read; EAGAIN: another thread took it.
    if (errno != ENOENT && errno != EAGAIN) return sys::last_error();
  }
}

sys::Status Channel::reply(std::uint64_t unique, std::span<const std::byte> body) const {
  return send(descriptor(), {0, 0, unique}, body, {});
}

sys::Status Channel::reply(std::uint64_t unique, std::span<const std::byte> head,
                           std::span<const std::byte> body) const {
  return send(descriptor(), {0, 0, unique}, head, body);
}

sys::Status Channel::reply_error(std::uint64_t unique, int error) const {
  return send(descriptor(), {0, -error, unique}, {}, {});
}

sys::Status Channel::invalidate_attributes(std::uint64_t node) const {
  const abi::NotifyInvalInodeOut out{node, -1, 0};  // a negative offset: no data
  return send(descriptor(), {0, static_cast<std::int32_t>(abi::NotifyCode::inval_inode), 0},
              std::as_bytes(std::span(&out, 1)), {});
}

sys::Result<std::int32_t> Channel::open_backing(int file) const {
  abi::BackingMap map{};
  map.fd = file;
  const int id = ::ioctl(descriptor(), backing_open_request, &map);
  if (id < 0) return sys::last_error();
  return id;
}

sys::Status Channel::close_backing(std::int32_t id) const {
  auto closed = static_cast<std::uint32_t>(id);
  return ::ioctl(descriptor(), backing_close_request, &closed) == 0 ? sys::Status() : sys::Status(sys::last_error());
}

sys::Status Channel::invalidate_node(std::uint64_t node) const {
  const abi::NotifyInvalInodeOut out{node, 0, 0};  // a length of 0: to the end
  return send(descriptor(), {0, static_cast<std::int32_t>(abi::NotifyCode::inval_inode), 0},
              std::as_bytes(std::span(&out, 1)), {});
}

sys::Status Channel::invalidate_name(std::uint64_t parent, std::string_view name) const {
  const abi::NotifyInvalEntryOut out{parent, static_cast<std::uint32_t>(name.size()), abi::expire_only};
  const std::string text = std::string(name) + '\0';
  return send(descriptor(), {0, static_cast<std::int32_t>(abi::NotifyCode::inval_entry), 0},
              std::as_bytes(std::span(&out, 1)), std::as_bytes(std::span(text.data(), text.size())));
}

sys::Status Channel::resend() const {
  return send(descriptor(), {0, static_cast<std::int32_t>(abi::NotifyCode::resend), 0}, {}, {});
}

sys::Result<bool> Channel::pending() const {
  pollfd poll{descriptor(), POLLIN, 0};
  for (;;) {
    const int ready = ::poll(&poll, 1, 0);
    if (ready >= 0) return ready > 0;
    if (errno != EINTR) return sys::last_error();
  }
}

sys::Result<std::vector<Channel>> clone_channels(Channel first, std::size_t count) {
  std::vector<Channel> channels;
  channels.reserve(count);
  channels.push_back(std::move(first));
  while (channels.size() < count) {
    LAMINA_ASSIGN(Channel clone, channels.front().clone());
    channels.push_back(std::move(clone));
  }
  return channels;
}

}  // namespace lamina::fuse
