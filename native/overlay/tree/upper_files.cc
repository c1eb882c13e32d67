// Opening what lies in the upper, and the few operations there that a mode of our own files may deny a driver without root.
#include <fcntl.h>

#include "overlay/tree/overlay.h"
#include "sys/names.h"
#include "sys/open.h"
#include "sys/xattrs.h"

namespace lamina::overlay {

using sys::Errno;

Result<sys::FileDescriptor> Overlay::open_upper(const Location& at, int flags) {
  const bool directory = (flags & O_DIRECTORY) != 0;
  const bool quiet = directory ? !options_.directory_access_times : !options_.access_times;
  const auto open = [&](int wanted) {
    return at.name.empty() ? sys::reopen(at.descriptor(), wanted) : sys::open_child(at.descriptor(), at.name, wanted);
  };
  const auto open_as_wanted = [&]() -> Result<sys::FileDescriptor> {
    if (!quiet) return open(flags);
    auto opened = open(flags | O_NOATIME);
    return opened.failed_with(EPERM) ? open(flags) : std::move(opened);  // for the owner only
  };
  if (!unprivileged_) return open_as_wanted();
  return as_owner(modes_, {{at.descriptor(), at.name}}, open_as_wanted);
}

// Moving a directory to another one needs write permission on it too.
Status Overlay::rename_upper(const UpperPlace& from, const UpperPlace& to, unsigned flags) {
  const auto rename = [&] { return sys::rename(from.directory, from.name, to.directory, to.name, flags); };
  if (!unprivileged_) return rename();
  return as_owner(modes_, {{from.directory, {}}, {to.directory, {}}, from, to}, rename);
}

Status Overlay::unlink_upper(const UpperPlace& place) {
  return in_upper(place.directory, [&] { return sys::unlink(place.directory, place.name); });
}

Status Overlay::make_whiteout(const UpperPlace& place) {
  return in_upper(place.directory, [&] { return sys::make_node(place.directory, place.name, 0020000U, 0, 0); });
}

Status Overlay::make_mark(int descriptor, std::string_view name, std::string_view mark, std::string_view value) {
  const auto set = [&] { return sys::set_xattr(descriptor, name, mark, sys::as_value(value)); };
  return unprivileged_ ? as_owner(modes_, {{descriptor, name}}, set) : set();
}

}  // namespace lamina::overlay
