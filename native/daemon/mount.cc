#include "daemon/mount.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <syslog.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "daemon/statistics.h"
#include "fuse/mount.h"
#include "sys/mounts.h"
#include "sys/open.h"

namespace lamina::daemon {

using sys::Errno;
using sys::Result;
using sys::Status;

namespace {

// A large file that is read in order takes a message for each. More would cost mappings that are read at random.
constexpr std::size_t read_ahead_kibibytes = 256;

// The real path of an open directory.
Result<std::string> path_of(const sys::FileDescriptor& directory, const std::string& called, std::string& explanation) {
  const std::string link = "/proc/self/fd/" + std::to_string(directory.get());
  const std::unique_ptr<char, decltype(&std::free)> real(::realpath(link.c_str(), nullptr), &std::free);
  if (real) return std::string(real.get());
  const Errno error = sys::last_error();
  explanation = "mount point " + called + ": " + std::strerror(error.value);
  return error;
}

const char* name_of(server::Mode mode) {
  switch (mode) {
    case server::Mode::passthrough:
      return "passthrough";
    case server::Mode::servicing:
      return "servicing";
    case server::Mode::stateless:
      break;
  }
  return "stateless";
}

fuse::MountOptions mount_request(const DaemonOptions& options, const std::string& mountpoint,
                                 const sys::FileDescriptor& directory) {
  fuse::MountOptions request;
  request.mountpoint = mountpoint;
  request.directory = directory.get();
  request.source = options.source;
  request.subtype = options.subtype;
  request.flags = options.mount_flags;
  request.allow_other = options.allow_other;
  request.max_read = options.max_read;
  request.security = options.security_contexts;
  return request;
}

}  // namespace

Result<std::unique_ptr<Mount>> Mount::make(const DaemonOptions& options, std::string& explanation) {
  std::unique_ptr<Mount> mount(new Mount);
  LAMINA_TRY(mount->open(options, explanation));
  LAMINA_ASSIGN(fuse::Channel channel,
                fuse::mount(mount_request(options, mount->mountpoint_, mount->directory_), explanation));
  mount->directory_.reset();
  auto channels = fuse::clone_channels(std::move(channel), mount->workers_);
  if (!channels) {
    static_cast<void>(mount->unmount());  // EINVAL: unmounted by another
    explanation = "clones of /dev/fuse for " + mount->mountpoint_ + ": " + std::strerror(channels.error().value);
    return channels.error();
  }
  mount->channels_ = std::move(*channels);
  return mount;
}

Status Mount::begin(const DaemonOptions& options, std::string& explanation) {
  Status begun = answer(options, explanation);
  if (begun.ok()) return begun;
  static_cast<void>(unmount());  // EINVAL: unmounted by another
  server_->stop();
  // Nothing useful was recorded.
  if (filter_) static_cast<void>(filter_->close());
  return begun;
}

Status Mount::open_directory(const DaemonOptions& options, std::string& explanation) {
  const std::string& path = options.mountpoint_at.empty() ? options.mountpoint : options.mountpoint_at;
  auto directory = sys::open_path(path, O_PATH | O_DIRECTORY);
  if (!directory) {
    explanation = "mount point " + options.mountpoint + ": " + std::strerror(directory.error().value);
    return directory.error();
  }
  directory_ = std::move(*directory);
  LAMINA_ASSIGN(mountpoint_, path_of(directory_, options.mountpoint, explanation));
  return {};
}

Status Mount::open(const DaemonOptions& options, std::string& explanation) {
  LAMINA_TRY(open_directory(options, explanation));
  LAMINA_ASSIGN(file_system_, overlay::FileSystem::open(options.overlay, explanation));
  LAMINA_TRY(open_note(options, explanation));
  const filter::FilterOptions& wanted = options.filter;
  if (!wanted.rules.empty() || !wanted.journal.empty() || !wanted.read_set.empty()) {
    LAMINA_ASSIGN(filter_, filter::Filter::open(wanted, explanation));
  }
  server::ServerOptions server = options.server;
  if (options.debug) {
    server.trace = [](const std::string& line) { std::fprintf(stderr, "laminafs: %s\n", line.c_str()); };
  }
  server.report = [](const std::string& line) { ::syslog(LOG_ERR, "%s", line.c_str()); };
  workers_ = options.threads != 0 ? options.threads : server::default_workers();
  if (options.supervise) {
    auto slots = server::RequestSlots::make(workers_);
    if (!slots) {
      explanation = "memory for requests: " + std::string(std::strerror(slots.error().value));
      return slots.error();
    }
    slots_ = std::move(*slots);
  }
  server_ = std::make_unique<server::Server>(*file_system_, filter_.get(), server, slots_.get());
  return {};
}

// Now, because the paths may be relative, and the process changes its directory.
Status Mount::open_note(const DaemonOptions& options, std::string& explanation) {
  if (options.overlay.work.empty()) return {};
  const auto fingerprint = fingerprint_of(options);
  auto note = MountNote::open(options);
  if (!fingerprint.ok() || !note.ok()) {
    const sys::Errno error = fingerprint.ok() ? note.error() : fingerprint.error();
    explanation = "the layers of " + mountpoint_ + ": " + std::strerror(error.value);
    return error;
  }
  fingerprint_ = *fingerprint;
  note_ = std::move(*note);
  return {};
}

Status Mount::start_filter(std::string& explanation) {
  if (!filter_) return {};
  Status started = filter_->start();
  if (!started.ok()) explanation = std::string("starting to record: ") + std::strerror(started.error().value);
  return started;
}

Status Mount::answer(const DaemonOptions& options, std::string& explanation) {
  LAMINA_TRY(start_filter(explanation));
  server_->start(std::move(channels_));
  const Status asked = ask_root();
  if (!asked.ok()) {
    explanation = "the mount on " + mountpoint_ + " does not answer: " + std::strerror(asked.error().value);
    return asked;
  }
  // Not allowed in a user namespace; the kernel then asks for 128 KiB at once.
  static_cast<void>(fuse::raise_read_ahead(device_, read_ahead_kibibytes));
  if (options.server.ring == server::Ring::on && !server_->uses_ring()) {
    explanation = "io_uring=on: ";
    explanation +=
        fuse::ring_enabled()
            ? "the kernel allows no io_uring (kernel.io_uring_disabled?)"
            : "the kernel offers none: this needs Linux 6.14, and Y in /sys/module/fuse/parameters/enable_uring";
    explanation += "; say io_uring=auto";
    return Errno{EOPNOTSUPP};
  }
  if (options.server.mode == server::Mode::passthrough) LAMINA_TRY(server_->check_passthrough(explanation));
  LAMINA_TRY(open_control(options, explanation));
  note();
  return {};
}

// Without the note the mount works normally, but it cannot be brought back from another mount namespace that holds it.
void Mount::note() const {
  if (!note_) return;
  const Status noted = note_->write({device_, fingerprint_});
  if (noted.ok()) return;
  ::syslog(LOG_WARNING, "%s: writing the mount record to the work directory: %s", mountpoint_.c_str(),
           std::strerror(noted.error().value));
}

Status Mount::resume(const DaemonOptions& options, std::string& explanation) {
  LAMINA_TRY(start_filter(explanation));
  Status resumed = file_system_->recover();
  if (resumed.ok()) resumed = server_->resume(std::move(channels_));
  if (!resumed.ok()) {
    explanation = "taking over from a worker that has died: " + std::string(std::strerror(resumed.error().value));
    return resumed;
  }
  if (note_) {
    const auto noted = note_->read();
    if (noted.ok() && *noted) device_ = (*noted)->device;
  }
  return open_control(options, explanation);
}

Status Mount::open_control(const DaemonOptions& options, std::string& explanation) {
  if (options.control.empty()) return {};
  LAMINA_ASSIGN(control_, control::ControlServer::open(options.control, handlers(options), explanation));
  return {};
}

Status Mount::ask_root() {
  struct statfs whole {};
  if (::statfs(mountpoint_.c_str(), &whole) != 0) return sys::last_error();
  struct stat root {};
  if (::lstat(mountpoint_.c_str(), &root) != 0) return sys::last_error();
  device_ = root.st_dev;
  return S_ISDIR(root.st_mode) ? Status() : Status(Errno{EIO});
}

control::Handlers Mount::handlers(const DaemonOptions& options) {
  control::Handlers handlers;
  const auto add = [&](const char* command, auto answer) {
    handlers[command] = [answer](std::string_view /*request*/) { return answer(); };
  };
  add("ping", [this, mode = options.server.mode] {
    return ping_answer(mountpoint_, name_of(mode), server_->uses_ring() ? "io_uring" : "read");
  });
  add("statistics", [this] { return statistics_answer(server_->statistics(), file_system_->counters()); });
  add("flush", [this] { return status_answer(filter_ ? filter_->flush() : Status(), "writing the journal"); });
  add("shutdown", [this] { return status_answer(unmount(), "unmounting " + mountpoint_); });
  return handlers;
}

// Only ours: it may be unmounted already, and something else mounted there.
Status Mount::unmount() const {
  const auto present = sys::device_at(mountpoint_);
  if (device_ != 0 && present.ok() && *present != device_) return Errno{EINVAL};
  return fuse::unmount(mountpoint_);
}

bool Mount::is_held_elsewhere() const {
  const auto others = sys::other_mount_namespaces();
  if (!others.ok() || device_ == 0) return false;
  for (const std::int32_t pid : *others) {
    const auto mounts = sys::mounts_of(std::to_string(pid));
    if (!mounts.ok()) continue;
    for (const sys::MountEntry& each : *mounts) {
      if (each.device == device_) return true;
    }
  }
  return false;
}

void Mount::wait() { answered_ = server_->wait(); }

bool Mount::finish() {
  bool well = true;
  const auto check = [&](const char* what, const Status& status) {
    if (status.ok()) return;
    ::syslog(LOG_ERR, "%s: %s: %s", mountpoint_.c_str(), what, std::strerror(status.error().value));
    well = false;
  };
  check("answering requests", answered_);
  control_.reset();
  if (filter_) check("writing the journal and the read set", filter_->close());
  if (note_) check("removing the mount record from the work directory", note_->remove());
  return well;
}

}  // namespace lamina::daemon
