#include "sys/unix_socket.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstdio>
#include <cstring>
#include <string>

#include "sys/names.h"
#include "sys/open.h"
#include "sys/retry.h"

namespace lamina::sys {

namespace {

constexpr std::size_t longest_name = 81;  // after "/proc/self/fd/2147483647/"

Result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) return Errno{ENAMETOOLONG};
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

const sockaddr* generic(const sockaddr_un& address) { return reinterpret_cast<const sockaddr*>(&address); }

Result<FileDescriptor> new_socket(int flags) {
  FileDescriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0));
  if (!socket.valid()) return last_error();
  return socket;
}

}  // namespace

Result<FileDescriptor> listen_at(int directory, std::string_view name) {
  if (name.empty() || name.find('/') != std::string_view::npos) return Errno{EINVAL};
  if (name.size() > longest_name) return Errno{ENAMETOOLONG};
  const std::string path = "/proc/self/fd/" + std::to_string(directory) + "/" + std::string(name);
  LAMINA_ASSIGN(const sockaddr_un address, address_of(path));
  LAMINA_ASSIGN(FileDescriptor socket, new_socket(SOCK_NONBLOCK));
  LAMINA_TRY(status_from([&] { return ::bind(socket.get(), generic(address), sizeof(address)); }));
  // Nobody can connect before listen(2), so the mode is set before the first client.
  Status status = change_mode(directory, name, 0600);
  if (status.ok()) status = status_from([&] { return ::listen(socket.get(), 16); });
  if (status.ok()) return socket;
  (void)unlink(directory, name);  // the first error is the one to report
  return status.error();
}

Result<FileDescriptor> connect_at(int directory, std::string_view name) {
  LAMINA_ASSIGN(const FileDescriptor target, open_child(directory, name, O_PATH));
  LAMINA_ASSIGN(const sockaddr_un address, address_of("/proc/self/fd/" + std::to_string(target.get())));
  LAMINA_ASSIGN(FileDescriptor socket, new_socket(0));
  LAMINA_TRY(status_from([&] { return ::connect(socket.get(), generic(address), sizeof(address)); }));
  return socket;
}

Result<FileDescriptor> accept_client(int listener) {
  const int client = retry([&] { return ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC); });
  if (client < 0) return last_error();
  return FileDescriptor(client);
}

Result<uid_t> peer_uid(int socket) {
  ucred credentials = {};
  socklen_t length = sizeof(credentials);
  LAMINA_TRY(status_from([&] { return ::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &length); }));
  return credentials.uid;
}

Result<std::size_t> receive(int socket, std::span<std::byte> buffer) {
  const ssize_t length = retry([&] { return ::recv(socket, buffer.data(), buffer.size(), 0); });
  if (length < 0) return last_error();
  return static_cast<std::size_t>(length);
}

Result<std::size_t> send(int socket, std::string_view data) {
  const ssize_t length = retry([&] { return ::send(socket, data.data(), data.size(), MSG_NOSIGNAL); });
  if (length < 0) return last_error();
  return static_cast<std::size_t>(length);
}

}  // namespace lamina::sys
