// The /proc of a sandbox.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace lamina::sandbox {

// A new detached one, of this process's namespace. Without root the kernel allows it only as long as another one is
// mounted.
int new_process_files();

// How many files may be hidden.
std::size_t most_hidden();

// Mounts it at an open place. Its machine-wide files cannot be changed nor, where they reveal more than a program
// needs, read. With a separate user namespace only kernel settings are read-only; else all of it is, because owner and
// mode of machine-wide files can be changed by root (those of the network's files below each process too).
// @param empty_files one mount for each file that may be hidden
// @param processes the limit, where the kernel can enforce it; 0: no limit
void mount_process_files(int files, int place, const std::vector<int>& empty_files, std::uint64_t processes,
                         bool own_users);

}  // namespace lamina::sandbox
