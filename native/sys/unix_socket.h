// Unix stream sockets whose paths may be of any length (unix(7) has room for 107 bytes; the descriptor of the directory
// has no such limit).
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <span>
#include <string_view>

#include "sys/file_descriptor.h"
#include "sys/result.h"

namespace lamina::sys {

// A listening socket, non-blocking, bound to the new name `name` (81 bytes at most) in `directory` with mode 0600.
// EADDRINUSE where the name is taken.
Result<FileDescriptor> listen_at(int directory, std::string_view name);
// Connects to the socket that is the child `name` of `directory`, whatever the name's length. ECONNREFUSED without a
// listener.
Result<FileDescriptor> connect_at(int directory, std::string_view name);
// The next client, non-blocking; EAGAIN where none waits.
Result<FileDescriptor> accept_client(int listener);
// The uid of the process that made the connection (SO_PEERCRED).
Result<uid_t> peer_uid(int socket);
// recv(2) and send(2), once. EAGAIN where a non-blocking socket is not ready; 0 from receive is the end. No SIGPIPE.
Result<std::size_t> receive(int socket, std::span<std::byte> buffer);
Result<std::size_t> send(int socket, std::string_view data);

}  // namespace lamina::sys
