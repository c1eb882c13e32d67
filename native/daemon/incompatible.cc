#include "daemon/options.h"

namespace lamina::daemon {

const char* incompatibility(const DaemonOptions& options) {
  const bool servicing = options.server.mode == server::Mode::servicing;
  const bool passthrough = options.server.mode == server::Mode::passthrough;
  const bool journal = !options.filter.journal.empty();
  // An open without a message is not recorded.
  if (!options.filter.read_set.empty() && !servicing) return "readset= needs mode=servicing";
  if (options.server.ring == server::Ring::on && options.supervise) {
    return "io_uring=on does not go with supervise=on: the kernel cannot send its requests again";
  }
  // The kernel then names the caller only where something is created.
  if (options.server.idmap && journal) {
    return "journal= does not go with idmap=on: who changes something would not be recorded";
  }
  // The kernel would cache the writes and use no passthrough (FUSE_WRITEBACK_CACHE).
  if (passthrough && options.server.writeback) return "writeback does not go with mode=passthrough";
  if (passthrough && journal) return "journal= does not go with mode=passthrough: writes would not be seen";
  if (passthrough && options.supervise) {
    return "supervise=on does not go with mode=passthrough: which files are open would not outlive a worker";
  }
  return nullptr;
}

}  // namespace lamina::daemon
