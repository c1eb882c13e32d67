// The user namespace of an ordinary user's store.
#pragma once

namespace lamina::sandbox {

// Runs a command as root of a user namespace whose users are the caller and the caller's subordinate ids, in a mount namespace of
// its own. Both go on, held by a process, for as long as anything is in them, so that what is mounted is there for the next
// command.
//
//   STATE UIDS GIDS COMMAND [ARGUMENT…]
//
// STATE is a file that is there, which names the holding process; UIDS and GIDS what newuidmap(1) and newgidmap(1) take:
// `0 1000 1 1 100000 65536`. Ends with 125 where that cannot be.
[[noreturn]] void enter_users(char* const* arguments);

}  // namespace lamina::sandbox
