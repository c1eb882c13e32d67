// Answers a mount's requests with several workers.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <latch>
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
  stateless,    // OPEN, OPENDIR, CREATE and FLUSH are answered ENOSYS once, and never sent again
  passthrough,  // OPEN is answered with the real file: reads, writes and mappings bypass the server
  servicing,    // as stateless, but OPEN is answered where a rule protects files; the only one with a read set
};

// Whether requests come over io_uring, by a queue for each processor, rather than by reading /dev/fuse.
enum class Ring {
  automatic,  // where the kernel offers it (/sys/module/fuse/parameters/enable_uring)
  on,
  off,
};

// Of this mount's nodes, in file handles: of another one's, whose node numbers are the same, the kernel then says
// ESTALE. An overlay that has its upper here keeps such handles (trusted.overlay.origin).
[[nodiscard]] std::uint32_t new_generation();

struct ServerOptions {
  std::uint32_t generation = new_generation();
  Mode mode = Mode::stateless;
  Ring ring = Ring::automatic;
  bool writeback = false;                               // the kernel combines small writes
  bool synchronous = true;                              // off (volatile): fsync is answered at once
  bool xattrs = true;                                   // off (noxattrs): no extended attributes
  bool idmap = false;                                   // mounts of it may show other owners (MOUNT_ATTR_IDMAP)
  bool access_lists = true;                             // off (noacl): the kernel ignores POSIX access lists
  std::function<void(const std::string& line)> trace;   // called by all workers; empty: no trace
  std::function<void(const std::string& line)> report;  // messages for people; empty: none
};

struct Statistics {
  std::vector<std::pair<std::string, std::uint64_t>> operations;  // those received at least once
  std::uint64_t messages = 0, bytes_read = 0, bytes_written = 0;
};

class RequestSlots;
class Session;

// The request of this thread has killed the worker. Safe in a signal handler.
void mark_crashed_request();

// The default number of workers of a mount: one a processor, at least two, so that one that waits for a disk does not
// block all.
[[nodiscard]] std::size_t default_workers();

class Server {
 public:
  // `filter` may be null. `slots`: one for each channel, where another process is to continue for this one; else null.
  // All outlive the server.
  Server(overlay::FileSystem& file_system, filter::Filter* filter, const ServerOptions& options,
         RequestSlots* slots = nullptr);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  // The mount must be gone, or stop() called.
  ~Server();

  // Starts a worker for each channel; all channels are of one mount. The workers end when it is gone. Once only.
  void start(std::vector<fuse::Channel> channels);
  // The same, for workers that have died: their requests are finished first. The file system has recovered.
  sys::Status resume(std::vector<fuse::Channel> channels);
  // Waits for all workers to end; the error of the first that ended for another reason than the mount's end.
  sys::Status wait();
  // Ends the workers while the mount exists: each finishes its request. Later requests wait for the channels to be
  // closed, which the destructor does.
  void stop();

  [[nodiscard]] Statistics statistics() const;

  // Once the mount has answered: whether requests come over io_uring.
  [[nodiscard]] bool uses_ring() const;
  // With Mode::passthrough, once the mount has answered: whether the kernel supports passthrough for all layers. On
  // failure `explanation` has one line for people.
  sys::Status check_passthrough(std::string& explanation);

 private:
  struct Worker {
    explicit Worker(fuse::Channel its) : channel(std::move(its)) {}
    fuse::Channel channel;
    std::thread thread;
    std::atomic<bool> ended{false};
  };
  void make_session(std::size_t workers);
  // Serves a processor's queue.
  struct RingWorker {
    unsigned processor = 0;
    std::thread thread;
    std::atomic<bool> ended{false};
  };
  void run(Worker& worker, std::size_t number);
  void run(RingWorker& worker, std::size_t number, std::latch& ready, std::atomic<bool>& failed);
  void plan_ring();
  bool start_ring();
  void join();
  void record(const sys::Status& ended);

  overlay::FileSystem& file_system_;
  filter::Filter* filter_;
  ServerOptions options_;
  std::unique_ptr<Session> session_;  // made by start
  RequestSlots* slots_;
  std::unique_ptr<RequestSlots> own_slots_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::thread invalidating_;  // after a resume
  std::vector<std::unique_ptr<RingWorker>> ring_workers_;
  std::atomic<bool> stopping_{false};
  std::atomic<int> failure_{0};
};

}  // namespace lamina::server
