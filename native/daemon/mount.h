// One mount: all that it consists of, from when it is made to when it has ended.
#pragma once

#include <memory>
#include <string>

#include "control/control_server.h"
#include "daemon/options.h"
#include "filter/filter.h"
#include "overlay/file_system.h"
#include "server/server.h"
#include "sys/result.h"

namespace lamina::daemon {

class Mount {
 public:
  // Opens the layers, mounts, starts to answer, and asks the mount for its root. On failure nothing is mounted, and `explanation`
  // has one line for a person. Starts threads: call it after the last fork(2).
  static sys::Result<std::unique_ptr<Mount>> make(const DaemonOptions& options, std::string& explanation);
  Mount(const Mount&) = delete;
  Mount& operator=(const Mount&) = delete;
  ~Mount() = default;

  [[nodiscard]] const std::string& mountpoint() const { return mountpoint_; }
  // Takes it away from the name space; its users keep it until they are done. From any thread.
  [[nodiscard]] sys::Status unmount() const;
  // Ends the answering though there are users. From any thread.
  void stop() { server_->stop(); }
  // Waits until nothing more is to be answered.
  void wait();
  // After wait: writes what is to be kept, and gives the lock on work back, last. True where all went well; what did not is in
  // the log.
  bool finish();

 private:
  Mount() = default;
  sys::Status open(const DaemonOptions& options, std::string& explanation);
  sys::Status begin(const DaemonOptions& options, fuse::Channel channel, std::string& explanation);
  sys::Status ask_root() const;
  control::Handlers handlers(const DaemonOptions& options);

  // In the order in which they are made; they go in the opposite one.
  std::string mountpoint_;
  std::unique_ptr<overlay::FileSystem> file_system_;
  std::unique_ptr<filter::Filter> filter_;
  std::unique_ptr<server::Server> server_;
  std::unique_ptr<control::ControlServer> control_;
  sys::Status answered_;
};

}  // namespace lamina::daemon
