// The user namespace of an ordinary user's store.
#pragma once

namespace lamina::sandbox {

// Runs a command as root of a user namespace whose users are the caller and the caller's subordinate ids, in a mount
// namespace of its own. Both stay, held by a process, as long as they are in use, so that mounts are there for the next
// command.
//
//   STATE UIDS GIDS COMMAND [ARGUMENT…]
//
// STATE is an existing file, which names the holding process; UIDS and GIDS are arguments of newuidmap(1) and
// newgidmap(1): `0 1000 1 1 100000 65536`. Exits with 125 on failure.
[[noreturn]] void enter_users(char* const* arguments);

}  // namespace lamina::sandbox
