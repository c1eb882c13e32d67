// What the workers of a mount share, and the handlers: one an operation (operations.cc), each a translation between the
// protocol and the overlay, with checks by the filter.
#pragma once

#include <fcntl.h>

#include <array>
#include <atomic>
#include <deque>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "filter/filter.h"
#include "fuse/abi_messages.h"
#include "fuse/channel.h"
#include "fuse/ring_entry.h"
#include "overlay/file_system.h"
#include "server/exchange.h"
#include "server/in_flight.h"
#include "server/open_files.h"
#include "server/operation.h"
#include "server/read_ahead.h"
#include "server/request_slots.h"
#include "server/server.h"

namespace lamina::server {

inline constexpr std::size_t max_pages = 256;
inline constexpr std::size_t page_size = 4096;
inline constexpr std::size_t max_write = max_pages * page_size;
// Header and arguments of a WRITE end where its data begin; the buffer is aligned so that the data start on a page.
inline constexpr std::size_t write_head = sizeof(abi::InHeader) + sizeof(abi::WriteIn);

class Session {
 public:
  Session(overlay::FileSystem& file_system, filter::Filter* filter, const ServerOptions& options, RequestSlots& slots);

  // Continues for workers that have died: finishes what they left half done, and keeps for work() what the kernel
  // resends and no worker had begun. Call it before work(), from one thread.
  sys::Status recover(const fuse::Channel& channel);
  // Invalidates what recover() found to differ from the kernel's caches. Not from a worker: it waits for workers.
  sys::Status invalidate(const fuse::Channel& channel) const;
  // Answers requests until the mount is gone, or `stopping` is set and a signal wakes the thread.
  sys::Status work(const fuse::Channel& channel, std::size_t worker, const std::atomic<bool>& stopping);
  // The same over io_uring, once the kernel has agreed to it; returns at once where it does not.
  sys::Status work(fuse::RingEntry& entry, const fuse::Channel& channel, std::size_t worker,
                   const std::atomic<bool>& stopping);
  // Call it before the first request, with whether there are workers for io_uring.
  void offer_ring(bool offered) { ring_offered_ = offered; }
  // No INIT will arrive any more.
  void give_up_ring();
  [[nodiscard]] bool uses_ring() const { return ring_.load() == Ring::agreed; }
  [[nodiscard]] Statistics statistics() const;
  // The kernel has agreed to passthrough.
  [[nodiscard]] bool passes_through() const { return passes_through_.load(); }

 private:
  // The object of an operation, for the filter. A path is computed only if there is a filter.
  struct Subject {
    bool watched = false;  // there is a filter and the object has a path
    std::string path;
  };
  struct Table;  // operations.cc
  static const Operation& operation_of(std::uint32_t opcode);

  // A request as it was read.
  struct Message {
    std::vector<std::byte> bytes;
    RequestSlot::Earlier earlier;
  };
  void serve(const Way& way, std::size_t worker, std::span<std::byte> message, std::span<std::byte> scratch,
             const RequestSlot::Earlier& earlier = {});
  std::optional<Message> take_left();
  // recovery.cc
  sys::Status gather(const fuse::Channel& channel, std::vector<Message>& again);
  void resume(const fuse::Channel& channel, std::size_t worker, Message& message);
  void abandon(std::size_t worker);
  void sync_recorded(RequestSlot& slot) const;
  void redo(const fuse::Channel* channel, std::size_t worker, std::span<std::byte> message);
  void note_withdrawn(std::span<const std::byte> message);
  void perform(const Way& way, Exchange& exchange);
  int send(const Way& way, Exchange& exchange, const Answer& answer);
  void take_back(Exchange& exchange);
  void trace(const abi::InHeader& header, int error, std::size_t size) const;

  // session_life.cc
  Answer init(Exchange& exchange, const abi::InitIn& in);
  void interrupt(Exchange& exchange, const abi::InterruptIn& in);
  Answer statfs(Exchange& exchange);
  Answer syncfs(Exchange& exchange);
  Answer nothing(Exchange& exchange);
  void ignore(Exchange& exchange);
  void agree_to_ring(const Exchange& exchange);
  void refuse_ring(const Exchange& exchange);
  // session_names.cc
  Answer lookup(Exchange& exchange, std::string_view name);
  void forget(Exchange& exchange, const abi::ForgetIn& in);
  void batch_forget(Exchange& exchange, const abi::BatchForgetIn& in, std::span<const std::byte> rest);
  Answer mknod(Exchange& exchange, const abi::MknodIn& in, std::string_view name);
  Answer mkdir(Exchange& exchange, const abi::MkdirIn& in, std::string_view name);
  Answer symlink(Exchange& exchange, std::string_view name, std::string_view target);
  Answer link(Exchange& exchange, const abi::LinkIn& in, std::string_view name);
  Answer unlink(Exchange& exchange, std::string_view name);
  Answer rmdir(Exchange& exchange, std::string_view name);
  Answer rename(Exchange& exchange, const abi::RenameIn& in, std::string_view name, std::string_view new_name);
  Answer rename2(Exchange& exchange, const abi::Rename2In& in, std::string_view name, std::string_view new_name);
  Answer readlink(Exchange& exchange);
  // session_attributes.cc
  Answer getattr(Exchange& exchange, const abi::GetattrIn& in);
  Answer setattr(Exchange& exchange, const abi::SetattrIn& in);
  Answer statx(Exchange& exchange);
  Answer getxattr(Exchange& exchange, const abi::GetxattrIn& in, std::string_view name);
  Answer listxattr(Exchange& exchange, const abi::GetxattrIn& in);
  Answer setxattr(Exchange& exchange, const abi::SetxattrIn& in, std::string_view name,
                  std::span<const std::byte> rest);
  Answer removexattr(Exchange& exchange, std::string_view name);
  // session_ioctl.cc
  Answer ioctl(Exchange& exchange, const abi::IoctlIn& in, std::span<const std::byte> rest);
  // session_open.cc
  Answer open(Exchange& exchange, const abi::OpenIn& in);
  Answer create(Exchange& exchange, const abi::CreateIn& in, std::string_view name);
  Answer tmpfile(Exchange& exchange, const abi::CreateIn& in);
  Answer release(Exchange& exchange, const abi::ReleaseIn& in);
  // session_passthrough.cc
  struct Opening {
    overlay::NodeId node = 0;
    std::uint32_t flags = 0;  // of open(2)
    bool kill_suidgid = false;
    bool as_root = false;  // its writes may leave setuid set; set by open_through
    [[nodiscard]] bool writes() const { return (flags & O_ACCMODE) != O_RDONLY; }
    [[nodiscard]] overlay::Access access() const {
      if (!writes()) return overlay::Access::read;
      return (flags & O_APPEND) != 0 ? overlay::Access::append : overlay::Access::write;
    }
  };
  sys::Result<abi::OpenOut> open_through(Exchange& exchange, Opening opening);
  sys::Result<bool> opens_as_root(const Exchange& exchange, const Opening& opening);
  sys::Status begin_open(Exchange& exchange, const Opening& opening, OpenFile& file);
  sys::Status join_open(Exchange& exchange, const Opening& opening, OpenFile& file);
  sys::Status detach_open_lower(const Exchange& exchange, overlay::NodeId node, const OpenFile& file);
  sys::Status expect_writes(const Exchange& exchange, const Opening& opening);
  static void drop_open(const Exchange& exchange, OpenFile& file, std::uint64_t handle);
  void close_through(const Exchange& exchange, overlay::NodeId node, std::uint64_t handle);
  sys::Result<overlay::Attributes> set_attributes(Exchange& exchange, overlay::SetAttributes change);
  void invalidate_replacement(const Exchange& exchange);
  // session_data.cc
  Answer read(Exchange& exchange, const abi::ReadIn& in);
  void read_ahead(const Exchange& exchange);
  Answer write(Exchange& exchange, const abi::WriteIn& in, std::span<const std::byte> rest);
  Answer fsync(Exchange& exchange, const abi::FsyncIn& in);
  Answer fallocate(Exchange& exchange, const abi::FallocateIn& in);
  Answer lseek(Exchange& exchange, const abi::LseekIn& in);
  Answer copy_file_range(Exchange& exchange, const abi::CopyFileRangeIn& in);
  Answer copy_file_range_64(Exchange& exchange, const abi::CopyFileRangeIn& in);
  // session_directories.cc
  Answer readdir(Exchange& exchange, const abi::ReadIn& in);
  Answer readdirplus(Exchange& exchange, const abi::ReadIn& in);
  Answer list(Exchange& exchange, const abi::ReadIn& in, bool plus);
  class Packer;
  sys::Status list_dots(Packer& packer, overlay::NodeId node, std::uint64_t offset);

  Answer rename_names(Exchange& exchange, std::string_view name, overlay::NodeId new_parent, std::string_view new_name,
                      std::uint32_t flags);
  [[nodiscard]] abi::EntryOut to_entry(const overlay::Entry& entry) const;
  Answer entry_answer(Exchange& exchange, const sys::Result<overlay::Entry>& entry);
  Answer opened_answer(Exchange& exchange, overlay::Entry entry, std::uint32_t flags);
  sys::Result<std::uint64_t> parent_ino(overlay::NodeId node);
  // For writing; if the open was not checked, the rules are checked now.
  sys::Result<overlay::RealFileRef> writable_file(Exchange& exchange, overlay::NodeId node, const Subject& subject,
                                                  overlay::Access access);
  sys::Status kill_setgid(Exchange& exchange);
  void invalidate_renumbered(const Exchange& exchange);
  static sys::Status forget_attributes(const Exchange& exchange, overlay::NodeId node);
  static std::string visible_names(Exchange& exchange, std::string names);
  // session_setid.cc
  static bool is_outside_group(const Exchange& exchange, std::uint32_t group);
  static bool keeps_setid(const Exchange& exchange);
  sys::Status check_group(const Exchange& exchange, overlay::NodeId node, overlay::SetAttributes& change);
  struct Standing {
    std::uint32_t mode, gid;
  };
  sys::Result<Standing> standing_of(overlay::NodeId node, const overlay::RealFile& file);
  sys::Status kill_suidgid(Exchange& exchange, overlay::NodeId node, const overlay::RealFile& file);
  sys::Status kill_suidgid_unless_kept(Exchange& exchange, overlay::NodeId node, const overlay::RealFile& file);
  sys::Result<std::size_t> copy(Exchange& exchange, const abi::CopyFileRangeIn& in);

  Subject subject(overlay::NodeId node);
  Subject subject(overlay::NodeId parent, std::string_view name);
  Subject linked_subject(const Exchange& exchange, overlay::NodeId node);
  // EROFS where a rule protects the path.
  sys::Status guard(const Subject& subject) const;
  // The same for the file behind a node, whichever of its names is protected.
  sys::Status guard_file(overlay::NodeId node, const Subject& subject) const;
  // A moved directory must not contain a protected path, before or after the move.
  sys::Status guard_below(overlay::NodeId parent, std::string_view name, const Subject& from, const Subject& to) const;
  // These come before the answer: the caller waits, so its command name can still be read, and every answered change is
  // recorded.
  void changed(Exchange& exchange, filter::Operation operation, const Subject& subject, std::string_view second = {});
  void was_read(filter::ReadKind kind, const Subject& subject);
  void was_read(filter::ReadKind kind, overlay::NodeId node);

  overlay::FileSystem& file_system_;
  filter::Filter* filter_;
  ServerOptions options_;
  // Whether OPEN is answered, for all files or for none: else opening and closing cost no message. A protected file
  // must not be opened for writing, because the kernel writes to a mapping of it without asking first.
  const bool answers_open_;
  RequestSlots& slots_;
  InFlight in_flight_;
  OpenFiles open_files_;  // with Mode::passthrough
  ReadAhead read_ahead_;
  std::atomic<bool> passes_through_{false};
  std::mutex left_mutex_;
  std::deque<Message> left_;  // guarded by left_mutex_
  // Entries that may be wrong in the kernel's caches.
  std::vector<std::uint64_t> stale_nodes_;
  std::vector<std::pair<std::uint64_t, std::string>> stale_names_;
  bool ring_offered_ = false;
  enum class Ring { open, agreed, refused };
  std::atomic<Ring> ring_{Ring::open};
  struct alignas(64) Count {
    std::atomic<std::uint64_t> value{0};
  };
  std::array<Count, abi::opcode_limit> counts_;
  Count bytes_read_, bytes_written_;
};

// The slot of this thread's current or last request.
extern thread_local RequestSlot* current_slot;

inline constexpr std::uint32_t permission_bits = 07777, setuid = 04000, setgid = 02000, group_execute = 00010;

abi::Attr to_attr(const overlay::Attributes& attributes);
// Seconds, about 68 years: only the mount changes what is below it, so the kernel's caches stay valid.
inline constexpr std::uint64_t forever = 1ULL << 31;
// How long the kernel may keep attributes, in seconds.
inline std::uint64_t validity_of(const overlay::Attributes& attributes) {
  return attributes.unseen == overlay::Unseen::nothing ? forever : 0;
}

}  // namespace lamina::server
