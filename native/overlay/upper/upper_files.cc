#include "overlay/upper/upper_files.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <vector>

#include "sys/directory.h"
#include "sys/names.h"
#include "sys/open.h"
#include "sys/status.h"
#include "sys/xattrs.h"

namespace lamina::overlay {

Result<sys::FileDescriptor> UpperFiles::open(const Location& at, int flags) {
  const bool directory = (flags & O_DIRECTORY) != 0;
  const bool quiet = directory ? !directory_access_times_ : !access_times_;
  const auto open = [&](int wanted) {
    return at.name.empty() ? sys::reopen(at.descriptor(), wanted) : sys::open_child(at.descriptor(), at.name, wanted);
  };
  return with_access({{at.descriptor(), at.name}}, [&]() -> Result<sys::FileDescriptor> {
    if (!quiet) return open(flags);
    auto opened = open(flags | O_NOATIME);
    return opened.failed_with(EPERM) ? open(flags) : std::move(opened);  // for the owner only
  });
}

Result<sys::FileDescriptor> UpperFiles::create(const UpperPlace& place, std::uint32_t mode) {
  // Who makes a file owns it, and may ask for O_NOATIME.
  const int flags = O_RDWR | O_CREAT | O_EXCL | (access_times_ ? 0 : O_NOATIME);
  return with_access({{place.directory, {}}},
                     [&] { return sys::open_child(place.directory, place.name, flags, mode); });
}

// Moving a directory to another one needs write permission on it too.
Status UpperFiles::rename(const UpperPlace& from, const UpperPlace& to, unsigned flags) {
  return with_access({{from.directory, {}}, {to.directory, {}}, from, to},
                     [&] { return sys::rename(from.directory, from.name, to.directory, to.name, flags); });
}

Status UpperFiles::link(const UpperPlace& from, const UpperPlace& to) {
  return change_names(to.directory, [&] {
    return from.name.empty() ? sys::link_descriptor(from.directory, to.directory, to.name)
                             : sys::link(from.directory, from.name, to.directory, to.name);
  });
}

Status UpperFiles::link_unseen(const UpperPlace& from, const UpperPlace& to) {
  LAMINA_ASSIGN(const sys::FileStatus before, sys::status_of(to.directory));
  LAMINA_TRY(link(from, to));
  Status restored =
      sys::change_times(to.directory, "", sys::TimeChange::to(before.atime), sys::TimeChange::to(before.mtime));
  // The first error is the one to report.
  if (!restored) static_cast<void>(sys::unlink(to.directory, to.name));
  return restored;
}

Status UpperFiles::unlink(const UpperPlace& place) {
  return change_names(place.directory, [&] { return sys::unlink(place.directory, place.name); });
}

Status UpperFiles::remove_tree(const UpperPlace& place) {
  const Status removed = unlink(place);
  if (!removed.failed_with(EISDIR) && !removed.failed_with(EPERM)) return removed;
  const auto remove_directory = [&] {
    return change_names(place.directory, [&] { return sys::remove_directory(place.directory, place.name); });
  };
  const Status empty = remove_directory();
  if (!empty.failed_with(ENOTEMPTY) && !empty.failed_with(EEXIST)) return empty;
  const auto open = [&] { return sys::open_child(place.directory, place.name, O_RDONLY | O_DIRECTORY); };
  LAMINA_ASSIGN(const sys::FileDescriptor opened, with_access({place}, open));
  LAMINA_ASSIGN(const std::vector<std::string> names, sys::names_in(opened.get()));
  for (const std::string& each : names) LAMINA_TRY(remove_tree({opened.get(), each}));
  return remove_directory();
}

Status UpperFiles::make_whiteout(const UpperPlace& place) {
  return change_names(place.directory, [&] { return sys::make_node(place.directory, place.name, S_IFCHR, 0, 0); });
}

Status UpperFiles::set_mark(const UpperPlace& place, std::string_view mark, std::string_view value) {
  return with_access({place}, [&] { return sys::set_xattr(place.directory, place.name, mark, sys::as_value(value)); });
}

Status UpperFiles::drop_whiteouts(int directory) {
  LAMINA_ASSIGN(const sys::FileDescriptor opened, sys::reopen(directory, O_RDONLY | O_DIRECTORY));
  std::vector<std::string> devices;
  LAMINA_TRY(sys::read_directory(opened.get(), [&](const sys::DirectoryRecord& each) -> Status {
    if (each.type == S_IFCHR || each.type == 0) devices.emplace_back(each.name);
    return {};
  }));
  for (const std::string& name : devices) {
    LAMINA_ASSIGN(const sys::FileStatus status, sys::status_at(opened.get(), name));
    if (status.is_whiteout()) LAMINA_TRY(sys::unlink(opened.get(), name));
  }
  return {};
}

}  // namespace lamina::overlay
