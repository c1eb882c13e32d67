// The device nodes of a sandbox: inodes of its own, so that nothing done to them is done to the host's.
#pragma once

#include <sys/types.h>
#include <cstddef>

#include <string>
#include <vector>

namespace lamina::sandbox {

struct Node {
  const char* name;
  unsigned major;
  unsigned minor;
};

const std::vector<Node>& device_nodes();

// A mount of each node, in their order. As root of the host they are made anew; else the host's are taken, which an ordinary user
// cannot change. To be called where mounting is allowed, in a mount namespace that others do not see.
std::vector<int> take_nodes(bool make);

// Makes nodes that were made anew somebody's, user and group.
void give_nodes(const std::vector<int>& nodes, uid_t owner);

// Mounts of one read-only file with this content, on a file system of its own.
std::vector<int> file_in_memory(const std::string& content, std::size_t mounts);

// A device directory at an open place: the nodes, pseudo terminals, shared memory and the usual links.
void mount_devices(int place, const std::vector<int>& nodes, const std::string& shm_size);

}  // namespace lamina::sandbox
