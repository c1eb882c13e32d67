// Opens a stack and refuses what cannot work, with one line for a person.
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <span>
#include <thread>

#include "overlay/layers/xxh64.h"
#include "overlay/tree/overlay.h"
#include "overlay/upper/acl.h"
#include "sys/data.h"
#include "sys/directory.h"
#include "sys/names.h"
#include "sys/open.h"
#include "sys/process.h"
#include "sys/xattrs.h"

namespace lamina::overlay {

using sys::Errno;

namespace {

// Descriptors kept open at most, all caches together: a quarter of what the process may have.
std::size_t cache_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return 1024;
  return std::min<std::size_t>(1024, limit.rlim_cur / 4);
}

Errno refuse(std::string& explanation, const std::string& what, int error) {
  explanation = what;
  return Errno{error};
}

Errno refuse_call(std::string& explanation, const std::string& what, Errno error) {
  return refuse(explanation, what + ": " + std::strerror(error.value), error.value);
}

// True where `inner` is `outer` or lies below it, judged by the directories themselves: one directory may have several
// paths.
Result<bool> is_within(const std::string& inner, const std::string& outer) {
  LAMINA_ASSIGN(const sys::FileStatus wanted, sys::status_of_path(outer));
  LAMINA_ASSIGN(sys::FileDescriptor at, sys::open_path(inner, O_PATH | O_DIRECTORY));
  for (;;) {
    LAMINA_ASSIGN(const sys::FileStatus here, sys::status_of(at.get()));
    if (here.device == wanted.device && here.ino == wanted.ino) return true;
    const int up = ::openat(at.get(), "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (up < 0) return sys::last_error();
    sys::FileDescriptor parent(up);
    LAMINA_ASSIGN(const sys::FileStatus above, sys::status_of(parent.get()));
    if (above.device == here.device && above.ino == here.ino && above.mount_id == here.mount_id) return false;
    at = std::move(parent);
  }
}

Status check_apart(const Options& options, std::string& explanation) {
  const auto apart = [&](const std::string& inner, const char* inner_name, const std::string& outer,
                         const char* outer_name) -> Status {
    auto within = is_within(inner, outer);
    if (!within) return refuse_call(explanation, std::string(inner_name) + " " + inner, within.error());
    if (!*within) return {};
    return refuse(explanation,
                  std::string(inner_name) + " " + inner + " lies inside " + outer_name + " " + outer +
                      "; give it a directory of its own",
                  EINVAL);
  };
  for (const LowerOptions& lower : options.lowers) {
    LAMINA_TRY(apart(options.upper, "upper", lower.tree, "lower"));
    LAMINA_TRY(apart(lower.tree, "lower", options.upper, "upper"));
    LAMINA_TRY(apart(options.work, "work", lower.tree, "lower"));
    LAMINA_TRY(apart(lower.tree, "lower", options.work, "work"));
  }
  LAMINA_TRY(apart(options.upper, "upper", options.work, "work"));
  return apart(options.work, "work", options.upper, "upper");
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

bool overlooks_modes() {
  const auto capable = sys::has_capability_here(::getpid(), CAP_DAC_OVERRIDE);
  return capable.ok() ? *capable : ::geteuid() == 0;  // without /proc
}

}  // namespace

Overlay::Overlay(const Options& options, std::vector<std::unique_ptr<Layer>> layers, OverlayDirectories directories,
                 std::unique_ptr<NodeStore> nodes)
    : options_(options),
      marks_(options.user_xattr),
      lowers_(std::move(layers)),
      secret_(random_secret()),
      upper_(directories.upper.valid() ? std::make_shared<const RealFile>(directories.upper.release()) : nullptr),
      quiet_upper_(std::move(directories.quiet)),
      upper_files_(options, !overlooks_modes()),
      work_(upper_files_, std::move(directories.work), std::move(directories.lock)),
      copies_(options, marks_, lowers_, upper_files_, work_),
      maker_(marks_, upper_files_, work_),
      table_(std::move(nodes)),
      directories_(cache_limit()),
      files_(cache_limit()),
      group_places_(lowers_, marks_, upper_ && !options.user_xattr ? upper_->descriptor() : -1) {}

Status Overlay::start() {
  auto root = std::make_shared<Inode>();
  root->type = S_IFDIR;
  root->has_upper = upper_ != nullptr;
  root->ino = 1;
  for (std::size_t i = 0; i < lowers_.size(); ++i) {
    root->lowers.push_back({i, lowers_[i].root()});
    LAMINA_ASSIGN(const LowerEntry entry, lowers_[i].get(lowers_[i].root()));
    if (entry.marks.opaque) break;
  }
  InodeKey key{1, 0};
  if (upper_) {
    LAMINA_ASSIGN(const sys::FileStatus status, sys::status_of(upper_->descriptor()));
    LAMINA_ASSIGN(const Marks marks, upper_marks(status, upper_->descriptor(), ""));
    if (marks.opaque) root->lowers.clear();
    key = {0, status.ino};
    copies_.set_upper_number(status.ino);
  }
  root_ = table_.intern(key, "", [&] { return root; });
  return {};
}

Result<std::unique_ptr<FileSystem>> FileSystem::open(const Options& options, std::string& explanation) {
  const MarkNames marks(options.user_xattr);
  if (options.lowers.empty())
    return refuse(explanation, "no lower was given; name one at least with lowerdir=", EINVAL);
  std::vector<std::unique_ptr<Layer>> layers;
  for (std::size_t i = 0; i < options.lowers.size(); ++i) {
    const auto position = static_cast<std::uint32_t>(options.lowers.size() - i);
    LAMINA_ASSIGN(auto layer, Layer::open(options.lowers[i], position, options.user_xattr, explanation));
    layers.push_back(std::move(layer));
  }
  OverlayDirectories writable;
  if (!options.upper.empty()) {
    LAMINA_ASSIGN(writable, open_writable(options, marks, explanation));
  }
  auto nodes = NodeStore::make();
  if (!nodes) return refuse_call(explanation, "memory for inodes", nodes.error());
  auto overlay = std::make_unique<Overlay>(options, std::move(layers), std::move(writable), std::move(*nodes));
  const Status started = overlay->start();
  if (!started) return refuse_call(explanation, "the root of the stack", started.error());
  return std::unique_ptr<FileSystem>(std::move(overlay));
}

}  // namespace lamina::overlay
