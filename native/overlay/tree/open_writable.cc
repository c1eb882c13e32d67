#include "overlay/tree/open_writable.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <thread>
#include <vector>

#include "overlay/upper/acl.h"
#include "sys/data.h"
#include "sys/directory.h"
#include "sys/mounts.h"
#include "sys/names.h"
#include "sys/open.h"
#include "sys/xattrs.h"

namespace lamina::overlay {

using sys::Errno;

Errno refuse(std::string& explanation, const std::string& what, int error) {
  explanation = what;
  return Errno{error};
}

Errno refuse_call(std::string& explanation, const std::string& what, Errno error) {
  return refuse(explanation, what + ": " + std::strerror(error.value), error.value);
}

namespace {

// A directory and those that it lies in, judged by the directories themselves: one may have several paths.
struct Way {
  const char* what;
  const std::string& path;
  // The directory itself first, the root last.
  std::vector<sys::FileStatus> directories;
};

Result<std::vector<sys::FileStatus>> way_to(const std::string& path) {
  LAMINA_ASSIGN(sys::FileDescriptor at, sys::open_path(path, O_PATH | O_DIRECTORY));
  LAMINA_ASSIGN(const sys::FileStatus first, sys::status_of(at.get()));
  std::vector<sys::FileStatus> way{first};
  for (;;) {
    const int up = ::openat(at.get(), "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (up < 0) return sys::last_error();
    at = sys::FileDescriptor(up);
    LAMINA_ASSIGN(const sys::FileStatus above, sys::status_of(at.get()));
    const sys::FileStatus& here = way.back();
    if (above.device == here.device && above.ino == here.ino && above.mount_id == here.mount_id) return way;
    way.push_back(above);
  }
}

Status check_apart(const Options& options, std::string& explanation) {
  const auto way = [&](const char* what, const std::string& path) -> Result<Way> {
    auto directories = way_to(path);
    if (!directories) return refuse_call(explanation, std::string(what) + " " + path, directories.error());
    return Way{what, path, std::move(*directories)};
  };
  const auto apart = [&](const Way& inner, const Way& outer, bool may_lie_below = false) -> Status {
    const sys::FileStatus& wanted = outer.directories.front();
    const auto end = may_lie_below ? inner.directories.begin() + 1 : inner.directories.end();
    const bool within = std::any_of(inner.directories.begin(), end, [&](const sys::FileStatus& each) {
      return each.device == wanted.device && each.ino == wanted.ino;
    });
    if (!within) return {};
    return refuse(explanation,
                  std::string(inner.what) + " " + inner.path + " lies inside " + outer.what + " " + outer.path +
                      "; give it a directory of its own",
                  EINVAL);
  };
  LAMINA_ASSIGN(const Way upper, way("upper", options.upper));
  LAMINA_ASSIGN(const Way work, way("work", options.work));
  for (const LowerOptions& each : options.lowers) {
    LAMINA_ASSIGN(const Way lower, way("lower", each.tree));
    // An engine's storage lies in the home that `podman run -v ~:/home:O` shows; fuse-overlayfs mounts that.
    LAMINA_TRY(apart(upper, lower, options.whiteout_files));
    LAMINA_TRY(apart(lower, upper));
    LAMINA_TRY(apart(work, lower, options.whiteout_files));
    LAMINA_TRY(apart(lower, work));
  }
  LAMINA_TRY(apart(upper, work));
  return apart(work, upper);
}

// Empties the work directory of a dead driver's leftovers.
Status empty(int directory) {
  LAMINA_ASSIGN(const sys::FileDescriptor opened, sys::reopen(directory, O_RDONLY | O_DIRECTORY));
  LAMINA_ASSIGN(const std::vector<std::string> names, sys::names_in(opened.get()));
  for (const std::string& name : names) {
    const Status removed = sys::unlink(directory, name);
    if (removed) continue;
    if (!removed.failed_with(EISDIR) && !removed.failed_with(EPERM)) return removed;
    LAMINA_ASSIGN(const sys::FileDescriptor child, sys::open_child(directory, name, O_RDONLY | O_DIRECTORY));
    LAMINA_TRY(empty(child.get()));
    LAMINA_TRY(sys::remove_directory(directory, name));
  }
  return {};
}

// A copy built in work must get the attributes of its original, and must not inherit an access list of the work
// directory.
Status drop_lists(int work) {
  for (const std::string_view list : {default_acl_name, access_acl_name}) {
    const Status removed = sys::remove_xattr(work, "", list);
    if (!removed && !removed.failed_with(ENODATA) && !removed.failed_with(EOPNOTSUPP)) return removed;
  }
  return {};
}

Status check_marks(int work, const MarkNames& marks, const std::string& path, std::string& explanation) {
  const Status set = sys::set_xattr(work, "", marks.opaque, sys::as_value("n"));
  if (!set) {
    return refuse_call(
        explanation,
        "work " + path + ": its file system does not take the attribute " + marks.opaque + ", which overlays need",
        set.error());
  }
  return sys::remove_xattr(work, "", marks.opaque);
}

// A stacked file system, or one in user space, may accept attributes and still refuse whiteouts, as the kernel's
// overlayfs does.
Status check_whiteouts(int work, const std::string& upper, std::string& explanation) {
  LAMINA_ASSIGN(const sys::FileSystemStatus status, sys::file_system_status(work));
  if (status.type != OVERLAYFS_SUPER_MAGIC && status.type != FUSE_SUPER_MAGIC) return {};
  constexpr const char *tried = "#tried", *moved = "#moved";
  LAMINA_TRY(sys::make_node(work, tried, S_IFREG | 0600, 0, 0));
  const Status renamed = sys::rename(work, tried, work, moved, RENAME_WHITEOUT);
  if (!renamed) {
    LAMINA_TRY(sys::unlink(work, tried));
    return refuse_call(
        explanation,
        "upper " + upper + ": its file system makes no whiteouts (an overlay?); put upper and work on another one",
        renamed.error());
  }
  LAMINA_TRY(sys::unlink(work, tried));
  return sys::unlink(work, moved);
}

/// The test for a running driver (isLocked in src/platform/lock.ts) takes the lock shared for a moment: that
/// is waited for.
bool lock_work(int work) {
  while (!sys::try_lock(work, sys::Lock::exclusive)) {
    if (!sys::try_lock(work, sys::Lock::shared)) return false;
    std::this_thread::yield();
  }
  return true;
}

// Whoever has the lock may have taken the directory from us before: the path of a container's storage that was given to
// containerd is a symlink (src/mount/grant.ts), which they remove, or lead elsewhere, under the lock.
Status check_still_there(const std::string& path, const sys::FileStatus& opened, const char* what,
                         std::string& explanation) {
  const auto now = sys::open_path(path, O_PATH | O_DIRECTORY);
  if (!now) return refuse_call(explanation, std::string(what) + " " + path, now.error());
  LAMINA_ASSIGN(const sys::FileStatus status, sys::status_of(now->get()));
  if (status.device == opened.device && status.ino == opened.ino) return {};
  return refuse(explanation, std::string(what) + " " + path + " was replaced by another directory meanwhile; try again",
                ESTALE);
}

}  // namespace

Result<OverlayDirectories> open_writable(const Options& options, const MarkNames& marks, std::string& explanation) {
  OverlayDirectories opened;
  const auto open = [&](const std::string& path, const char* what, int flags) -> Result<sys::FileDescriptor> {
    auto descriptor = sys::open_path(path, flags);
    if (!descriptor) return refuse_call(explanation, std::string(what) + " " + path, descriptor.error());
    return descriptor;
  };
  LAMINA_ASSIGN(opened.upper, open(options.upper, "upper", O_PATH | O_DIRECTORY));
  LAMINA_ASSIGN(opened.lock, open(options.work, "work", O_RDONLY | O_DIRECTORY));
  LAMINA_ASSIGN(const sys::FileStatus upper, sys::status_of(opened.upper.get()));
  LAMINA_ASSIGN(const sys::FileStatus work, sys::status_of(opened.lock.get()));
  if (upper.device != work.device || upper.mount_id != work.mount_id) {
    return refuse(
        explanation,
        "work " + options.work + " and upper " + options.upper + " are on different file systems; put them on one",
        EXDEV);
  }
  LAMINA_TRY(check_apart(options, explanation));
  if (!lock_work(opened.lock.get())) {
    return refuse(explanation, "work " + options.work + " is in use by another mount; unmount that first", EBUSY);
  }
  LAMINA_TRY(check_still_there(options.upper, upper, "upper", explanation));
  LAMINA_TRY(check_still_there(options.work, work, "work", explanation));
  // The note of a killed driver about its mount is not valid for ours (daemon/mount_record.h).
  const Status unnoted = sys::remove_xattr(opened.lock.get(), "", marks.lamina_mount);
  if (!unnoted && !unnoted.failed_with(ENODATA) && !unnoted.failed_with(EOPNOTSUPP)) {
    return refuse_call(explanation, "work " + options.work, unnoted.error());
  }
  const Status made = sys::make_directory(opened.lock.get(), "work", 0700);
  if (!made && !made.failed_with(EEXIST)) return refuse_call(explanation, "work " + options.work, made.error());
  LAMINA_ASSIGN(opened.work, sys::open_child(opened.lock.get(), "work", O_PATH | O_DIRECTORY));
  const Status emptied = empty(opened.work.get());
  if (!emptied) return refuse_call(explanation, "work " + options.work + ": emptying it", emptied.error());
  const Status plain = drop_lists(opened.work.get());
  if (!plain) return refuse_call(explanation, "work " + options.work + ": removing its access lists", plain.error());
  LAMINA_TRY(check_marks(opened.work.get(), marks, options.work, explanation));
  LAMINA_TRY(check_whiteouts(opened.work.get(), options.upper, explanation));
  if (!options.access_times) {
    auto quiet = sys::clone_tree(options.upper, sys::TreeAccess::read_only);
    // Without CAP_SYS_ADMIN following a symlink changes its time.
    if (!quiet && !quiet.failed_with(EPERM)) return refuse_call(explanation, "upper " + options.upper, quiet.error());
    if (quiet) opened.quiet = std::move(*quiet);
  }
  return opened;
}

}  // namespace lamina::overlay
