// The /proc of a sandbox.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace lamina::sandbox {

// A new one, of this process's namespace, without a place yet. Without root the kernel allows it only as long as another one is
// mounted.
int new_process_files();

// How many files may be hidden.
std::size_t most_hidden();

// Mounts it at an open place. Files of it that are one for the whole machine can be neither changed nor, where they tell more
// than a program needs, read. With a user namespace of its own settings of the kernel are read-only; else all of it is, for owner
// and mode of what is one for the machine are root's to change (those of the network's files below each process, too).
// @param empty_files as many mounts as files may be hidden
// @param processes most of them, where the kernel can number them so; 0: no limit
void mount_process_files(int files, int place, const std::vector<int>& empty_files, std::uint64_t processes, bool own_users);

}  // namespace lamina::sandbox
