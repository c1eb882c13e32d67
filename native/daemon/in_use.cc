#include "daemon/in_use.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>
#include <thread>

#include "daemon/ending_signals.h"
#include "fuse/mount.h"
#include "sys/data.h"
#include "sys/open.h"

namespace lamina::daemon {

namespace {

// An ending driver needs a few milliseconds; a scan of all processes as many.
constexpr std::chrono::milliseconds first_look{25}, look_every{100}, try_every{2};

std::string in_use(const DaemonOptions& options) {
  return "work " + options.overlay.work + " is in use by another mount";
}

}  // namespace

bool InUse::is_free() const {
  const auto work = sys::open_path(options_.overlay.work, O_RDONLY | O_DIRECTORY);
  return !work || sys::try_lock(work->get(), sys::Lock::shared).ok();  // a retry reports what is wrong with it
}

std::optional<MountRecord> InUse::noted_mount() const {
  const auto note = MountNote::open(options_);
  if (!note) return std::nullopt;
  const auto record = note->read();
  return record ? *record : std::nullopt;
}

InUse::Outcome InUse::settle(std::string& explanation) {
  Clock::time_point next_look = Clock::now() + first_look;
  while (Clock::now() < until_) {
    if (is_free()) return Outcome::free;
    if (Clock::now() >= next_look) {
      if (const auto outcome = look(explanation)) return *outcome;
      next_look = Clock::now() + look_every;
    }
    std::this_thread::sleep_for(try_every);
  }
  explanation =
      in_use(options_) + ", which has not ended within " + std::to_string(patience.count()) +
      " s and is in no mount namespace that can be seen; end the programs that still use it (an unmount with --lazy "
      "leaves them running), or its driver";
  return Outcome::refused;
}

// The whole tree, as it was mounted.
const sys::MountEntry* InUse::mount_among(const std::vector<sys::MountEntry>& mounts, const MountRecord& record) const {
  const std::string type = options_.subtype.empty() ? "fuse" : "fuse." + options_.subtype;
  for (const sys::MountEntry& each : mounts) {
    if (each.device == record.device && each.type == type && each.source == options_.source && each.root == "/")
      return &each;
  }
  return nullptr;
}

// A failed search counts as nothing found: then the wait ends with the same refusal as without a search.
std::optional<InUse::Outcome> InUse::look(std::string& explanation) {
  const auto noted = noted_mount();
  if (!noted) return std::nullopt;
  const MountRecord record = *noted;
  const auto here = sys::mounts_of("self");
  if (!here) return std::nullopt;
  for (const sys::MountEntry& each : *here) {
    if (each.device != record.device) continue;
    explanation = in_use(options_) + ", on " + each.mountpoint + "; unmount that first";
    return Outcome::refused;
  }
  const auto others = sys::other_mount_namespaces();
  if (!others) return std::nullopt;
  for (const std::int32_t pid : *others) {
    const auto mounts = sys::mounts_of(std::to_string(pid));
    if (!mounts) continue;
    if (const sys::MountEntry* found = mount_among(*mounts, record)) {
      const auto outcome = bring(record, {pid, found->mountpoint}, explanation);
      if (outcome) return outcome;
    }
  }
  return std::nullopt;
}

std::optional<InUse::Outcome> InUse::bring(const MountRecord& record, const Held& held,
                                           std::string& explanation) const {
  const std::string who =
      ", which the mount namespace of process " + std::to_string(held.pid) + " holds on " + held.mountpoint;
  const auto refuse = [&](const std::string& why) {
    explanation = in_use(options_) + who + "; " + why;
    return Outcome::refused;
  };
  const auto wanted = fingerprint_of(options_);
  if (!wanted || *wanted != record.fingerprint) {
    return refuse(
        "its layers or options differ from yours, and two drivers cannot work on one upper: end that "
        "process");
  }
  auto clone = sys::clone_mount_of(held.pid, held.mountpoint, record.device);
  // It has been unmounted there just now, or something else is mounted over it.
  if (clone.failed_with(ENOENT) || clone.failed_with(ESRCH) || clone.failed_with(ENOTDIR)) return std::nullopt;
  if (!clone)
    return refuse(std::string("it cannot be moved here: ") + std::strerror(clone.error().value) + "; end that process");
  // The number was not reused meanwhile.
  if (noted_mount() != record || is_free()) return std::nullopt;
  const std::unique_ptr<char, decltype(&std::free)> place(::realpath(options_.mountpoint.c_str(), nullptr), &std::free);
  if (!place) return refuse("mount point " + options_.mountpoint + ": " + std::strerror(errno));
  const sys::Status attached = sys::attach_mount(clone->get(), place.get(), options_.mount_flags);
  if (!attached) return refuse(std::string("it cannot be mounted here: ") + std::strerror(attached.error().value));
  return Outcome::brought;
}

void InUse::wait_for_its_end() const {
  const std::unique_ptr<char, decltype(&std::free)> place(::realpath(options_.mountpoint.c_str(), nullptr), &std::free);
  const auto noted = noted_mount();
  if (!place || !noted) return;
  const sigset_t signals = ending_signals();
  const timespec moment{0, 200'000'000};
  for (;;) {
    if (::sigtimedwait(&signals, nullptr, &moment) > 0) {
      static_cast<void>(fuse::unmount(place.get()));  // fails where it has gone
      return;
    }
    const auto device = sys::device_at(place.get());
    if (!device || *device != noted->device) return;
  }
}

}  // namespace lamina::daemon
