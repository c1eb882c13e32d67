// The device nodes of a sandbox: separate inodes, so that changes to them do not affect the host's.
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

// A mount of each node, in their order. Root of the host makes new ones; else the host's are used, which an ordinary
// user cannot change. Call it where mounting is allowed, in a private mount namespace.
std::vector<int> take_nodes(bool make);

// Sets user and group of newly made nodes.
void give_nodes(const std::vector<int>& nodes, uid_t owner);

// Mounts of one read-only file with this content, on a file system of its own.
std::vector<int> file_in_memory(const std::string& content, std::size_t mounts);

// A device directory at an open place: the nodes, pseudo terminals, shared memory and the usual links.
void mount_devices(int place, const std::vector<int>& nodes, const std::string& shm_size);

}  // namespace lamina::sandbox
