#include "daemon/mount_record.h"

#include <fcntl.h>
#include <sys/mount.h>

#include <charconv>

#include "overlay/layers/marks.h"
#include "overlay/layers/xxh64.h"
#include "sys/open.h"
#include "sys/status.h"
#include "sys/xattrs.h"

namespace lamina::daemon {

using sys::Result;
using sys::Status;

namespace {

constexpr std::string_view form = "1 ";

// Options of the file system rather than of one mount of it (mount(2)).
constexpr unsigned long whole_flags = MS_SYNCHRONOUS | MS_DIRSYNC | MS_LAZYTIME;

Status append_place(std::string& text, const std::string& path) {
  if (!path.empty()) {
    LAMINA_ASSIGN(const sys::FileStatus status, sys::status_of_path(path));
    text += std::to_string(status.device) + ":" + std::to_string(status.ino);
  }
  text += '\n';
  return {};
}

void append_owners(std::string& text, const overlay::Options& stack) {
  for (const overlay::IdMap* map : {&stack.owners.uids, &stack.owners.gids}) {
    text += '\n';
    for (const overlay::IdRange& range : map->ranges()) {
      for (const std::uint32_t each : {range.disk, range.mount, range.length}) text += std::to_string(each) + ' ';
    }
  }
  for (const auto& every : {stack.owners.every_uid, stack.owners.every_gid}) {
    text += every ? ' ' + std::to_string(*every) : std::string(" -");
  }
  text += ' ' + std::to_string(static_cast<int>(stack.stored_owners));
}

void append_words(std::string& text, const DaemonOptions& options) {
  const overlay::Options& stack = options.overlay;
  const server::ServerOptions& server = options.server;
  for (const bool each : {stack.redirect_dir, stack.metacopy, stack.user_xattr, stack.static_nlink, stack.access_times,
                          stack.directory_access_times, server.writeback, server.synchronous, server.xattrs,
                          server.access_lists, options.allow_other, options.supervise}) {
    text += each ? '1' : '0';
  }
  append_owners(text, stack);
  text += '\n' + std::to_string(static_cast<int>(server.mode)) + ' ' + std::to_string(options.max_read) + ' ' +
          std::to_string(options.mount_flags & whole_flags) + '\n';
  for (const std::string* each :
       {&options.filter.rules, &options.filter.journal, &options.filter.read_set, &options.control}) {
    text += *each + '\n';
  }
}

}  // namespace

std::string encode(const MountRecord& record) {
  return std::string(form) + std::to_string(record.device) + ' ' + std::to_string(record.fingerprint);
}

std::optional<MountRecord> decode_mount_record(std::string_view text) {
  if (!text.starts_with(form)) return std::nullopt;
  text.remove_prefix(form.size());
  MountRecord record;
  const char* const end = text.data() + text.size();
  const auto device = std::from_chars(text.data(), end, record.device);
  if (device.ec != std::errc() || device.ptr == end || *device.ptr != ' ') return std::nullopt;
  const auto fingerprint = std::from_chars(device.ptr + 1, end, record.fingerprint);
  if (fingerprint.ec != std::errc() || fingerprint.ptr != end) return std::nullopt;
  return record;
}

Result<std::uint64_t> fingerprint_of(const DaemonOptions& options) {
  std::string text;
  for (const overlay::LowerOptions& lower : options.overlay.lowers) {
    LAMINA_TRY(append_place(text, lower.tree));
    LAMINA_TRY(append_place(text, lower.index));
  }
  LAMINA_TRY(append_place(text, options.overlay.upper));
  LAMINA_TRY(append_place(text, options.overlay.work));
  append_words(text, options);
  return overlay::xxh64(text);
}

Result<MountNote> MountNote::open(const DaemonOptions& options) {
  LAMINA_ASSIGN(sys::FileDescriptor work, sys::open_path(options.overlay.work, O_PATH | O_DIRECTORY));
  return MountNote(std::move(work), overlay::MarkNames(options.overlay.user_xattr).lamina_mount);
}

Status MountNote::write(const MountRecord& record) const {
  return sys::set_xattr(work_.get(), "", mark_, sys::as_value(encode(record)));
}

Status MountNote::remove() const {
  const Status removed = sys::remove_xattr(work_.get(), "", mark_);
  return removed.failed_with(ENODATA) ? Status() : removed;
}

Result<std::optional<MountRecord>> MountNote::read() const {
  const auto value = sys::get_xattr(work_.get(), "", mark_);
  if (value.failed_with(ENODATA)) return std::optional<MountRecord>();
  if (!value) return value.error();
  return decode_mount_record({reinterpret_cast<const char*>(value->data()), value->size()});
}

}  // namespace lamina::daemon
