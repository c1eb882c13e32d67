// The specification of a sandbox, as written by src/.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <sys/resource.h>
#include <sys/types.h>

namespace lamina::sandbox {

struct Place {
  enum class Kind { proc, dev, run, tmp };
  Kind kind = Kind::tmp;
  // Below the root, without a symlink on the way.
  std::string path;
  // Of a file system in memory, in bytes.
  std::string size;
};

struct Shown {
  std::string from;
  std::string path;
};

struct Content {
  std::string path;
  std::string content;
};

struct Directory {
  std::string path;
  mode_t mode = 0;
  uid_t uid = 0;
  gid_t gid = 0;
};

struct Limit {
  int resource = 0;
  rlim_t soft = 0;
  rlim_t hard = 0;
};

// Limits for all processes of the sandbox together; 0: none.
struct Bounds {
  std::uint64_t processes = 0;
  std::uint64_t memory = 0;
  // In thousandths of a processor.
  std::uint64_t processors = 0;
  // It must be enforced, or nothing runs. Else what the machine cannot enforce is left out.
  bool processes_asked = false;
  bool memory_asked = false;
  bool processors_asked = false;
};

struct Spec {
  std::string root;
  // Outer ones first.
  std::vector<Place> places;
  std::string shm_size;
  std::vector<Shown> shown;
  // Shown read-only over files of the root.
  std::vector<Content> covers;
  std::vector<Directory> directories;
  std::vector<Content> files;
  std::string host_name;
  // Where the command begins, in the root; empty: at the root.
  std::string working_directory;
  std::vector<std::string> environment;
  std::vector<unsigned> capabilities;
  // Also for users other than root.
  std::vector<unsigned> kept_capabilities;
  std::vector<Limit> limits;
  Bounds bounds;
  // The user that the command runs as.
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
  bool host_network = false;
  // Whether root's sandbox gets a user namespace.
  enum class OwnUsers { no, where_possible, always } own_users = OwnUsers::no;
  bool gains_privileges = false;
  // Standard input is relayed from ours; else there is none.
  bool input = false;
  // The command gets a terminal of its own, because our input and output are one.
  bool terminal = false;
};

// Reads the records of a file. Each is a word and its fields, every one ended by a NUL:
//
//   root PATH
//   place KIND PATH SIZE            what is mounted: proc, dev, run or tmp
//   shm SIZE                        of /dev/shm
//   show FROM PATH                  FROM of the host, read-only at PATH, which is made in a place
//   cover PATH CONTENT              a file that hides the root's own, read-only
//   directory PATH MODE UID GID     made in a place where it is missing; gets these attributes
//   file PATH CONTENT               made in a place, mode 0644
//   host-name NAME
//   set NAME=VALUE                  a variable of the environment
//   capability NUMBER               one that root keeps
//   keep-capability NUMBER          one that the command keeps, as any user
//   limit NUMBER SOFT HARD          of setrlimit(2); `-` is infinity
//   processes NUMBER asked|-        and memory BYTES, processors THOUSANDTHS: for all together
//   user UID GID                    that the command runs as
//   group GID                       one more of that user's
//   own-users always|-              a user namespace also for root; `-`: where that is possible
//   host-network, gains-privileges, input, terminal
//
// PATHs are in the root. Ends the process where a record is not one of these.
Spec read_spec(int file);

}  // namespace lamina::sandbox
