#include "daemon/options.h"

namespace lamina::daemon {

const char* incompatibility(const DaemonOptions& options) {
  const bool servicing = options.server.mode == server::Mode::servicing;
  const bool passthrough = options.server.mode == server::Mode::passthrough;
  const bool journal = !options.filter.journal.empty();
  // An open without a message is not recorded.
  if (!options.filter.read_set.empty() && !servicing) return "readset= needs mode=servicing";
  if (options.server.ring == server::Ring::on && options.supervise) {
    return "io_uring=on cannot be combined with supervise=on: the kernel cannot send its requests again";
  }
  // The kernel then names the caller only where something is created.
  if (options.server.idmap && journal) {
    return "journal= cannot be combined with idmap=on: the journal could not record who makes a change";
  }
  if (options.overlay.stored_owners != overlay::StoredOwners::in_inode && options.has_indexes) {
    return "xattr_permissions cannot be combined with lowerindex=: an index has the owners of the inodes";
  }
  // The kernel would cache the writes and use no passthrough (FUSE_WRITEBACK_CACHE).
  if (passthrough && options.server.writeback) return "writeback cannot be combined with mode=passthrough";
  if (passthrough && journal)
    return "journal= cannot be combined with mode=passthrough: the driver would not see writes";
  if (passthrough && options.supervise) {
    return "supervise=on cannot be combined with mode=passthrough: a new worker could not know which files are open";
  }
  return nullptr;
}

}  // namespace lamina::daemon
