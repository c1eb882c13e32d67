#include "daemon/options.h"

namespace lamina::daemon {

const char* const help_text =
    R"(usage: laminafs [-f] [-d] -o lowerdir=A:B,upperdir=U,workdir=W[,OPTION…] MOUNTPOINT

Mounts the merged tree of the lower directories, topmost first, and one upper. Without upperdir and workdir the mount is
read-only. In values, write \: for a colon and \, for a comma.

  lowerindex=A:B         index files of the lowers, in the same order; an item is empty where a lower has none
  mode=MODE              stateless (default): opening a file sends no message; passthrough: file data bypass the driver
                         (root, Linux 6.9); servicing: the driver sees all reads and changes
  redirect_dir=on|off    rename a directory of a lower by a mark instead of copying it (default: on)
  metacopy=on|off        change attributes of a lower's file without copying its data (default: on)
  userxattr              keep marks in user.overlay.* (no redirects, no metacopies); so by itself where trusted.* may
                         not be set: in a user namespace, and for users other than root
  whiteout_files=on|off  obey what fuse-overlayfs and containers-storage leave in layers without an index: .wh.NAME,
                         .wh..wh..opq, user.overlay.opaque, user.fuseoverlayfs.* (default: on, without lowerindex)
  uidmapping=A:B:N[:…]   show the users from A on as those from B on, N of them, and store them the other way round;
                         others are the overflow id. gidmapping= likewise for groups
  squash_to_root, squash_to_uid=ID, squash_to_gid=ID
                         show one owner of everything
  xattr_permissions=0|1|2  keep owners and modes in the inodes (0), in security.fuseoverlayfs.override_stat (1), in
                         user.fuseoverlayfs.override_stat (2)
  filter=FILE            rules in JSON: which paths are captured, ephemeral or protected
  journal=FILE           record changing operations, NDJSON; the file must not exist or be empty
  readset=FILE           record what is read; written when the mount ends; with mode=servicing only
  control=PATH           make a control socket
  mountpoint_at=PATH     mount on the directory at PATH, such as /proc/PID/fd/N; MOUNTPOINT is then only its name
  threads=N              threads that read /dev/fuse (default: one per processor, at least two)
  io_uring=auto|on|off   receive requests by io_uring, with one queue per processor (auto: if the kernel offers it)
  supervise=on|off       start a new worker when one has died (default: off)
  idmap=on|off           allow idmapped mounts of it: mount_setattr(2), MOUNT_ATTR_IDMAP (default: off)
  writeback              let the kernel cache and combine writes
  volatile               answer fsync without syncing
  noacl                  ignore POSIX access control lists
  noxattrs               support no extended attributes
  static_nlink           report one link for every directory
  fsname=NAME, subtype=NAME, max_read=BYTES, allow_other, ro, nosuid, nodev, noexec, noatime, …
  optionsfile=FILE       read more options from FILE, one per line, for long stacks (also: --options-file FILE)
  -f                     stay in the foreground
  -d                     log every request to stderr; stay in the foreground
  --help, --version
)";

}  // namespace lamina::daemon
