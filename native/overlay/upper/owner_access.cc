#include "overlay/upper/owner_access.h"

#include <fcntl.h>

#include "sys/names.h"
#include "sys/open.h"
#include "sys/status.h"

namespace lamina::overlay {

using sys::Status;

OwnerAccess::OwnerAccess(std::shared_mutex& modes, std::initializer_list<UpperPlace> places) : lock_(modes) {
  for (const UpperPlace& place : places) {
    if (status_) status_ = open_up(place);
  }
}

Status OwnerAccess::open_up(const UpperPlace& place) {
  auto status = sys::status_at(place.directory, place.name);
  if (status.failed_with(ENOENT)) return {};  // the new name of a rename
  if (!status) return status.error();
  if (!status->is_directory() && !status->is_regular()) return {};
  const std::uint32_t mode = status->mode & 07777U;
  const std::uint32_t wanted = mode | (status->is_directory() ? 0700U : 0600U);
  if (wanted == mode) return {};
  LAMINA_ASSIGN(sys::FileDescriptor file, place.name.empty()
                                              ? sys::duplicate(place.directory)
                                              : sys::open_child(place.directory, place.name, O_PATH | O_NOFOLLOW));
  LAMINA_TRY(sys::change_mode(file.get(), "", wanted));
  changed_.push_back({std::move(file), mode});
  return {};
}

Status OwnerAccess::give_back() {
  Status all;
  for (const Changed& each : changed_) {
    const Status restored = sys::change_mode(each.file.get(), "", each.mode);
    if (all) all = restored;
  }
  changed_.clear();
  return all;
}

OwnerAccess::~OwnerAccess() {
  // Modes that were not restored explicitly are restored here after a failure, which is the error to report.
  static_cast<void>(give_back());
}

}  // namespace lamina::overlay
