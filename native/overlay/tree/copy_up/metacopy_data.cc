#include "overlay/tree/copy_up/metacopy_data.h"

#include <fcntl.h>

#include <mutex>
#include <utility>
#include <vector>

#include "sys/data.h"
#include "sys/names.h"
#include "sys/xattrs.h"

namespace lamina::overlay {

namespace {

// The capability of a file that gets content which no caller wrote, for writing clears it (file_remove_privs of the
// kernel). Meanwhile it lies under another name, so that the next attempt finds it if this worker dies.
class KeptCapability {
 public:
  static constexpr std::string_view name = "security.capability";

  KeptCapability(const MarkNames& marks, const Location& at) : marks_(marks), at_(at) {}
  Status keep() {
    auto value = sys::get_xattr(at_.descriptor(), at_.name, name);
    if (value.failed_with(ENODATA)) value = sys::get_xattr(at_.descriptor(), at_.name, marks_.lamina_capability);
    if (value.failed_with(ENODATA) || value.failed_with(EOPNOTSUPP)) return {};
    if (!value) return value.error();
    value_ = std::move(*value);
    return sys::set_xattr(at_.descriptor(), at_.name, marks_.lamina_capability, value_);
  }
  Status give_back() const {
    if (value_.empty()) return {};
    LAMINA_TRY(sys::set_xattr(at_.descriptor(), at_.name, name, value_));
    return sys::remove_xattr(at_.descriptor(), at_.name, marks_.lamina_capability);
  }

 private:
  const MarkNames& marks_;
  const Location& at_;
  std::vector<std::byte> value_;
};

}  // namespace

// The mark is removed last: until then reads use the lower's data.
Status MetacopyData::complete(Inode& inode, const Interrupted& interrupted) {
  LowerPlace source;
  {
    std::lock_guard lock(inode.mutex);
    source = inode.lowers.back();
  }
  LAMINA_ASSIGN(const Location at, places_.location(inode));
  LAMINA_ASSIGN(const sys::FileStatus status, sys::status_at(at.descriptor(), at.name));
  LAMINA_ASSIGN(const sys::FileDescriptor opened, upper_files_.open(at, O_RDWR));
  LAMINA_ASSIGN(const LowerEntry entry, lowers_.of(source).get(source.reference));
  KeptCapability capability(marks_, at);
  LAMINA_TRY(capability.keep());
  // Its size, which users see, is right all the time, even if the worker dies here.
  LAMINA_TRY(copies_.copy_data(source, entry.attributes.size, opened.get(), interrupted));
  if (synchronous_) LAMINA_TRY(sys::sync_data(opened.get()));
  LAMINA_TRY(capability.give_back());
  LAMINA_TRY(sys::change_times(at.descriptor(), at.name, sys::TimeChange::to(status.atime),
                               sys::TimeChange::to(status.mtime)));
  LAMINA_TRY(sys::remove_xattr(at.descriptor(), at.name, marks_.metacopy));
  const Status unredirected = sys::remove_xattr(at.descriptor(), at.name, marks_.redirect);
  if (!unredirected && !unredirected.failed_with(ENODATA)) return unredirected;
  std::lock_guard lock(inode.mutex);
  inode.metacopy = false;
  inode.lowers.clear();
  open_files_.erase(inode.id);
  return {};
}

}  // namespace lamina::overlay
