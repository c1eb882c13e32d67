#include "daemon/options.h"

namespace lamina::daemon {

const char* const help_text =
    R"(usage: laminafs [-f] [-d] -o lowerdir=A:B,upperdir=U,workdir=W[,OPTION…] MOUNTPOINT

Mounts the merged tree of the lower directories, topmost first, and one upper. Without upperdir and workdir the mount is
read-only. In values, write \: for a colon and \, for a comma.

  lowerindex=A:B         the lowers' index files, in the same order; an empty item: none
  mode=MODE              stateless (default): files open without a message; passthrough: their data pass the driver by
                         (root, Linux 6.9); servicing: reads and changes are seen
  redirect_dir=on|off    rename a directory of a lower by a mark instead of copying it (default: on)
  metacopy=on|off        change attributes of a lower's file without copying its data (default: on)
  userxattr              keep marks in user.overlay.* (no redirects, no metacopies)
  whiteout_files=on|off  obey .wh.NAME and .wh..wh..opq in layers without an index (default: on, without lowerindex)
  filter=FILE            rules of what is captured, ephemeral and protected, JSON
  journal=FILE           record changing operations, NDJSON; the file must not exist or be empty
  readset=FILE           record what is read, written at the end; with mode=servicing only
  control=PATH           make a control socket
  mountpoint_at=PATH     mount on the directory that this leads to, such as /proc/PID/fd/N; MOUNTPOINT only names it
  threads=N              workers that read /dev/fuse (default: one a processor, at least two)
  io_uring=auto|on|off   take requests over io_uring, by a queue for each processor (auto: where the kernel offers it)
  supervise=on|off       replace a worker that has died (default: off)
  idmap=on|off           mounts of it may show other owners: mount_setattr(2), MOUNT_ATTR_IDMAP (default: off)
  writeback              let the kernel gather small writes
  volatile               answer fsync at once
  noacl                  do not obey POSIX access lists
  noxattrs               show no extended attributes, and take none
  static_nlink           show one link of every directory
  fsname=NAME, subtype=NAME, max_read=BYTES, allow_other, ro, nosuid, nodev, noexec, noatime, …
  optionsfile=FILE       more options, one a line, for long stacks (also: --options-file FILE)
  -f                     stay in the foreground
  -d                     report every request on stderr; stays in the foreground
  --help, --version
)";

}  // namespace lamina::daemon
