// One mount: all its parts, from its making to its end.
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
  // Opens the layers and mounts; requests are not answered yet. On failure nothing is mounted, and `explanation` has
  // one line for people.
  static sys::Result<std::unique_ptr<Mount>> make(const DaemonOptions& options, std::string& explanation);
  Mount(const Mount&) = delete;
  Mount& operator=(const Mount&) = delete;
  ~Mount() = default;

  // Starts to answer, and looks up the mount's root. On failure nothing is mounted any more. Starts threads: call it
  // after the last fork(2).
  sys::Status begin(const DaemonOptions& options, std::string& explanation);
  // Continues for a process that was forked from the same parent and has died. Starts threads.
  sys::Status resume(const DaemonOptions& options, std::string& explanation);
  // The descriptors that inodes hold; resume() needs them.
  [[nodiscard]] std::vector<int> kept_descriptors() const { return file_system_->kept_descriptors(); }
  // Of a supervised mount only.
  [[nodiscard]] server::RequestSlots& slots() { return *slots_; }

  [[nodiscard]] const std::string& mountpoint() const { return mountpoint_; }
  // Detaches it from the mount tree; its users keep it until they are done. From any thread.
  [[nodiscard]] sys::Status unmount() const;
  // Whether another mount namespace that can be seen has it.
  [[nodiscard]] bool is_held_elsewhere() const;
  // Stops answering even if there are users. From any thread.
  void stop() { server_->stop(); }
  // Waits until the mount needs no more answers.
  void wait();
  // After wait: writes the records. True where all went well; failures are in the log. The lock on work is released
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

  // In the order in which they are made; they are destroyed in the reverse order.
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
