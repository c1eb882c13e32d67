// Answers a mount's requests: one handler an operation, each a translation between the protocol and the overlay, with the filter
// asked on the way.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "filter/filter.h"
#include "fuse/channel.h"
#include "overlay/file_system.h"
#include "sys/result.h"

namespace lamina::server {

// How files are opened, one way for the whole life of a mount.
enum class Mode {
  stateless,  // OPEN, OPENDIR, CREATE and FLUSH are answered ENOSYS once, and never asked again
  servicing,  // every OPEN and OPENDIR is answered, so that every read is seen; no READDIRPLUS
};

struct ServerOptions {
  Mode mode = Mode::stateless;
  unsigned threads = 0;     // 0: one a processor, at least two
  bool writeback = false;   // the kernel gathers small writes
  bool synchronous = true;  // off (volatile): fsync is answered at once
};

struct Statistics {
  std::vector<std::pair<std::string, std::uint64_t>> operations;  // those asked at least once
  std::uint64_t messages = 0, bytes_read = 0, bytes_written = 0;
};

class Session;

class Server {
 public:
  // `filter` may be null. Both outlive the server.
  Server(overlay::FileSystem& file_system, filter::Filter* filter, const ServerOptions& options);
  ~Server();

  // Starts the workers. They end when the mount is gone.
  sys::Status start(fuse::Channel channel);
  // Waits for all workers to end; the error of the first that ended for another reason than the mount's end.
  sys::Status wait();

  [[nodiscard]] Statistics statistics() const;

 private:
  std::unique_ptr<Session> session_;
  std::vector<fuse::Channel> channels_;
  std::vector<std::thread> workers_;
  unsigned threads_;
  std::atomic<int> failure_{0};
};

}  // namespace lamina::server
