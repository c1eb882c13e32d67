// The overlay file system: the merged tree of one upper over any number of lowers, addressed by node.
// Thread-safe. Every failure is an errno; a failure never means "absent": only ENOENT and ENOTDIR do.
#pragma once

#include <linux/fs.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "overlay/attempt.h"
#include "overlay/listing.h"
#include "overlay/real_file.h"
#include "overlay/types.h"
#include "sys/result.h"

namespace lamina::overlay {

using sys::Result;
using sys::Status;

using ListingRef = std::shared_ptr<const Listing>;
// Of a directory that was removed.
inline const ListingRef& empty_listing() {
  static const ListingRef nothing = std::make_shared<const Listing>();
  return nothing;
}

// True once the client has cancelled the request; long copies check it between chunks and end with EINTR.
using Interrupted = std::function<bool()>;

class FileSystem {
 public:
  // Opens the layers, checks them (upper and work on one file system, upper not inside a lower, work not in use, …) and
  // locks the work directory. On failure `explanation` gets one clear line for people.
  static Result<std::unique_ptr<FileSystem>> open(const Options& options, std::string& explanation);
  virtual ~FileSystem() = default;

  // Changes that cannot be made twice take an attempt, or null where requests are never repeated.

  // Names and nodes. Each returned Entry raises the node's lookup count by one; forget lowers it.
  virtual Result<Entry> lookup(NodeId parent, std::string_view name) = 0;  // also ".", ".." (for file handles)
  virtual void forget(NodeId node, std::uint64_t count) = 0;
  // The node's path from the root without a leading slash ("" is the root); ENOENT once it has no name. Of a file with
  // several names, the one that was last used.
  virtual Result<std::string> path(NodeId node) = 0;

  using PathTest = std::function<bool(std::string_view path)>;
  // Whether one of the names of a file passes the test, the one of path() or another that shows the same file: each as
  // from path() returns it. A name that is made or moves later may be left out.
  virtual Result<bool> any_name(NodeId node, const PathTest& test) = 0;
  // Whether a path below a name passes the test: each relative to the name. False where that is not a directory.
  virtual Result<bool> any_below(NodeId parent, std::string_view name, const PathTest& test) = 0;

  virtual Result<Attributes> attributes(NodeId node) = 0;
  virtual Result<Attributes> set_attributes(NodeId node, const SetAttributes& change,
                                            const Interrupted& interrupted) = 0;
  virtual Result<std::string> read_link(NodeId node) = 0;

  virtual Result<Entry> make_node(NodeId parent, std::string_view name, std::uint32_t mode, std::uint32_t rdev_major,
                                  std::uint32_t rdev_minor, const Caller& caller, Attempt* attempt = nullptr) = 0;
  virtual Result<Entry> make_directory(NodeId parent, std::string_view name, std::uint32_t mode, const Caller& caller,
                                       Attempt* attempt = nullptr) = 0;
  virtual Result<Entry> make_symlink(NodeId parent, std::string_view name, std::string_view target,
                                     const Caller& caller, Attempt* attempt = nullptr) = 0;
  virtual Result<Entry> make_unnamed(NodeId parent, std::uint32_t mode, const Caller& caller) = 0;  // O_TMPFILE
  virtual Result<Entry> link(NodeId node, NodeId parent, std::string_view name, const Interrupted& interrupted,
                             Attempt* attempt = nullptr) = 0;
  virtual Status unlink(NodeId parent, std::string_view name, Attempt* attempt = nullptr) = 0;
  virtual Status remove_directory(NodeId parent, std::string_view name, Attempt* attempt = nullptr) = 0;
  virtual Status rename(NodeId parent, std::string_view name, NodeId new_parent, std::string_view new_name,
                        RenameMode mode, const Interrupted& interrupted, Attempt* attempt = nullptr) = 0;

  // Data. `file` copies up first where access is write. The reference may be a cached one: it is positionless, never
  // opened O_APPEND, and for reading always names the file that holds the present content.
  virtual Result<RealFileRef> file(NodeId node, Access access, const Interrupted& interrupted) = 0;
  virtual Status sync(NodeId node, bool data_only) = 0;  // files and directories

  // For clients that access the real files of `file` directly (FUSE passthrough).
  // Whether the data of a regular file is still a lower's: the first write will replace it by another real file.
  virtual Result<bool> data_in_lower(NodeId node) = 0;
  // From now on writes to the file bypass this object. `mapped`: even when it is no longer open.
  virtual Status expect_unseen_writes(NodeId node, bool mapped) = 0;
  // Gives the file a new node, to which its names lead from now on. The old node keeps standing for the file in all
  // later calls; replacement() says that it must not be used any more. ESTALE for a file without a name.
  virtual Status replace_node(NodeId node) = 0;
  [[nodiscard]] virtual std::optional<NodeId> replacement(NodeId node) const = 0;
  // The nodes whose number and link count a copy-up has changed on this thread since the last call: of names of a
  // lower's file that are separated.
  virtual std::vector<NodeId> take_renumbered() = 0;
  // A regular file from each file system that data may come from, open, with its layer's path; of those that hold any.
  virtual Result<std::vector<std::pair<RealFileRef, std::string>>> samples() = 0;

  // Whether the file's content may change (EPERM: chattr(1), +i, and +a unless writes go to the end). `file` asks the
  // same.
  virtual Status may_write(NodeId node, bool appends) = 0;

  virtual Result<ListingRef> list(NodeId directory) = 0;

  // Extended attributes as visible to the caller: overlay marks hidden or escaped as the kernel's overlayfs does.
  virtual Result<std::vector<std::byte>> xattr(NodeId node, std::string_view name) = 0;
  virtual Result<std::string> xattr_names(NodeId node) = 0;  // each terminated by NUL, as listxattr(2)
  virtual Status set_xattr(NodeId node, std::string_view name, std::span<const std::byte> value, int flags,
                           Attempt* attempt = nullptr) = 0;
  virtual Status remove_xattr(NodeId node, std::string_view name, Attempt* attempt = nullptr) = 0;

  // The flags of chattr(1): FS_IOC_GETFLAGS and FS_IOC_FSGETXATTR, and the setting of them. "Immutable" and "append
  // only" are respected by all other operations. ENOTTY for what is neither a regular file nor a directory.
  virtual Result<std::uint32_t> flags(NodeId node) = 0;
  virtual Status set_flags(NodeId node, std::uint32_t flags) = 0;
  virtual Result<fsxattr> extended_flags(NodeId node) = 0;
  virtual Status set_extended_flags(NodeId node, const fsxattr& flags) = 0;

  virtual Result<FileSystemStatistics> statistics() = 0;
  virtual Status sync_all() = 0;
  virtual OverlayCounters counters() const = 0;
  virtual bool read_only() const = 0;
  // Whether owner and mode of a real file are those that attributes() shows.
  virtual bool shows_inodes() const = 0;

  // A process that uses this object may die at any moment. Another one that was forked from the same parent, before any
  // use, and shares its descriptors (sys::fork_worker) continues with all nodes once it has called recover(). The
  // descriptors that inodes hold: they must stay open. Before recover().
  [[nodiscard]] virtual std::vector<int> kept_descriptors() const = 0;
  virtual Status recover() = 0;
};

}  // namespace lamina::overlay
