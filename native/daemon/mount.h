// One mount: all that it consists of, from when it is made to when it has ended.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/control_server.h"
#include "daemon/mount_record.h"
#include "daemon/options.h"
#include "filter/filter.h"
#include "overlay/file_system.h"
#include "server/request_slots.h"
#include "server/server.h"
#include "sys/result.h"

namespace lamina::daemon {

class Mount {
 public:
  // Opens the layers and mounts; nobody answers yet. On failure nothing is mounted, and `explanation` has one line for a person.
  static sys::Result<std::unique_ptr<Mount>> make(const DaemonOptions& options, std::string& explanation);
  Mount(const Mount&) = delete;
  Mount& operator=(const Mount&) = delete;
  ~Mount() = default;

  // Starts to answer, and asks the mount for its root. On failure nothing is mounted any more. Starts threads: call it after the
  // last fork(2).
  sys::Status begin(const DaemonOptions& options, std::string& explanation);
  // Goes on for a process that was forked from the same parent and has died. Starts threads.
  sys::Status resume(const DaemonOptions& options, std::string& explanation);
  // The descriptors that inodes hold, which resume() needs.
  [[nodiscard]] std::vector<int> kept_descriptors() const { return file_system_->kept_descriptors(); }
  // Of a supervised mount only.
  [[nodiscard]] server::RequestSlots& slots() { return *slots_; }

  [[nodiscard]] const std::string& mountpoint() const { return mountpoint_; }
  // Takes it away from the name space; its users keep it until they are done. From any thread.
  [[nodiscard]] sys::Status unmount() const;
  // Whether another mount namespace that can be seen has it.
  [[nodiscard]] bool is_held_elsewhere() const;
  // Ends the answering though there are users. From any thread.
  void stop() { server_->stop(); }
  // Waits until nothing more is to be answered.
  void wait();
  // After wait: writes what is to be kept. True where all went well; what did not is in the log. The lock on work is given back
  // with the object.
  bool finish();

 private:
  Mount() = default;
  sys::Status open(const DaemonOptions& options, std::string& explanation);
  sys::Status open_directory(const DaemonOptions& options, std::string& explanation);
  sys::Status answer(const DaemonOptions& options, std::string& explanation);
  sys::Status open_note(const DaemonOptions& options, std::string& explanation);
  sys::Status start_filter(std::string& explanation);
  sys::Status ask_root();
  void note() const;
  sys::Status open_control(const DaemonOptions& options, std::string& explanation);
  control::Handlers handlers(const DaemonOptions& options);

  // In the order in which they are made; they go in the opposite one.
  std::string mountpoint_;
  sys::FileDescriptor directory_;  // what is mounted on, held from its check until then
  std::unique_ptr<overlay::FileSystem> file_system_;
  std::unique_ptr<filter::Filter> filter_;
  std::size_t workers_ = 0;
  std::unique_ptr<server::RequestSlots> slots_;  // of a supervised mount
  std::vector<fuse::Channel> channels_;          // until they answer
  std::unique_ptr<server::Server> server_;
  std::unique_ptr<control::ControlServer> control_;
  sys::Status answered_;
  std::uint64_t device_ = 0;       // the number by which the kernel knows it, once it has answered
  std::uint64_t fingerprint_ = 0;  // of the options
  std::optional<MountNote> note_;  // of a mount that can be written
};

}  // namespace lamina::daemon
