// A pseudo terminal of a sandbox, passed to its maker.
#pragma once

#include <string>

namespace lamina::sandbox {

// Opens one by its multiplexer and sends both sides through a socket. Returns the command's side.
int make_terminal(const std::string& multiplexer, int socket);

// Receives both sides; false where none arrives, because the sender has ended.
bool receive_terminal(int socket, int& master, int& other);

}  // namespace lamina::sandbox
