// What the workers of a mount share, and the handlers: one an operation, each a translation between the protocol and the overlay,
// with checks by the filter.
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

  // Continues for workers that have died: finishes what they left half done, and keeps for work() what the kernel resends
  // and no worker had begun. Call it before work(), from one thread.
  sys::Status recover(const fuse::Channel& channel);
  // Invalidates what recover() found to differ from the kernel's caches. Not from a worker: it waits for workers.
  sys::Status invalidate(const fuse::Channel& channel) const;
  // Answers requests until the mount is gone, or `stopping` is set and a signal wakes the thread.
  sys::Status work(const fuse::Channel& channel, std::size_t worker, const std::atomic<bool>& stopping);
  // The same over io_uring, once the kernel has agreed to it; returns at once where it does not.
  sys::Status work(fuse::RingEntry& entry, const fuse::Channel& channel, std::size_t worker, const std::atomic<bool>& stopping);
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
  using Handler = void (Session::*)(Exchange&);
  struct Operation {
    const char* name = nullptr;
    Handler handler = nullptr;
  };
  using Operations = std::array<Operation, abi::opcode_limit>;
  static constexpr Operations make_operations();
  static const Operations& operations();

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
  void settle_record(RequestSlot& slot) const;
  void redo(const fuse::Channel* channel, std::size_t worker, std::span<std::byte> message);
  void note_withdrawn(std::span<const std::byte> message);
  void dispatch(Exchange& exchange);
  void trace(const Exchange& exchange) const;

  // session_life.cc
  void init(Exchange& exchange);
  void destroy(Exchange& exchange);
  void interrupt(Exchange& exchange);
  void statfs(Exchange& exchange);
  void syncfs(Exchange& exchange);
  void unsupported(Exchange& exchange);
  void notify_reply(Exchange& exchange);
  // session_names.cc
  void lookup(Exchange& exchange);
  void forget(Exchange& exchange);
  void batch_forget(Exchange& exchange);
  void mknod(Exchange& exchange);
  void mkdir(Exchange& exchange);
  void symlink(Exchange& exchange);
  void link(Exchange& exchange);
  void unlink(Exchange& exchange);
  void rmdir(Exchange& exchange);
  void rename(Exchange& exchange);
  void rename2(Exchange& exchange);
  void readlink(Exchange& exchange);
  // session_attributes.cc
  void getattr(Exchange& exchange);
  void setattr(Exchange& exchange);
  void statx(Exchange& exchange);
  void getxattr(Exchange& exchange);
  void listxattr(Exchange& exchange);
  void setxattr(Exchange& exchange);
  void removexattr(Exchange& exchange);
  // session_ioctl.cc
  void ioctl(Exchange& exchange);
  // session_open.cc
  void open(Exchange& exchange);
  void create(Exchange& exchange);
  void tmpfile(Exchange& exchange);
  void release(Exchange& exchange);
  void release_directory(Exchange& exchange);
  void flush(Exchange& exchange);
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
  sys::Status make_way(const Exchange& exchange, overlay::NodeId node, const OpenFile& file);
  sys::Status expect_writes(const Exchange& exchange, const Opening& opening);
  static void drop_open(const Exchange& exchange, OpenFile& file, std::uint64_t handle);
  void close_through(const Exchange& exchange, overlay::NodeId node, std::uint64_t handle);
  sys::Result<overlay::Attributes> set_attributes(Exchange& exchange, overlay::SetAttributes change);
  void tell_replacement(const Exchange& exchange);
  // session_data.cc
  void read(Exchange& exchange);
  void read_ahead(const Exchange& exchange);
  void write(Exchange& exchange);
  void fsync(Exchange& exchange);
  void fallocate(Exchange& exchange);
  void lseek(Exchange& exchange);
  void copy_file_range(Exchange& exchange);
  void copy_file_range_64(Exchange& exchange);
  // session_directories.cc
  void opendir(Exchange& exchange);
  void readdir(Exchange& exchange);
  void readdirplus(Exchange& exchange);
  void list(Exchange& exchange, bool plus);
  class Packer;
  sys::Status list_dots(Packer& packer, overlay::NodeId node, std::uint64_t offset);

  void rename_names(Exchange& exchange, overlay::NodeId new_parent, std::uint32_t flags);
  void answer_entry(Exchange& exchange, const sys::Result<overlay::Entry>& entry);
  void answer_opened(Exchange& exchange, overlay::Entry entry, std::uint32_t flags);
  sys::Result<std::uint64_t> parent_ino(overlay::NodeId node);
  // For writing; if the open was not checked, the rules are checked now.
  sys::Result<overlay::RealFileRef> writable_file(Exchange& exchange, overlay::NodeId node, const Subject& subject,
                                                  overlay::Access access);
  sys::Status kill_setgid(Exchange& exchange);
  void tell_renumbered(const Exchange& exchange);
  static sys::Status forget_attributes(const Exchange& exchange, overlay::NodeId node);
  static std::string visible_names(Exchange& exchange, std::string names);
  // session_setid.cc
  static bool is_stranger(const Exchange& exchange, std::uint32_t group);
  static bool keeps_setid(const Exchange& exchange);
  sys::Status judge_stranger(const Exchange& exchange, overlay::NodeId node, overlay::SetAttributes& change);
  sys::Status kill_suidgid(Exchange& exchange, overlay::NodeId node, const overlay::RealFile& file);
  sys::Result<std::size_t> copy(Exchange& exchange);

  Subject subject(overlay::NodeId node);
  Subject subject(overlay::NodeId parent, std::string_view name);
  Subject linked_subject(const Exchange& exchange, overlay::NodeId node);
  // EROFS where a rule protects the path.
  sys::Status guard(const Subject& subject) const;
  // The same for the file behind a node, whichever of its names is protected.
  sys::Status guard_file(overlay::NodeId node, const Subject& subject) const;
  // A moved directory must not contain a protected path, before or after the move.
  sys::Status guard_below(overlay::NodeId parent, std::string_view name, const Subject& from, const Subject& to) const;
  // These come before the answer: the caller waits, so its command name can still be read, and every answered change is recorded.
  void changed(Exchange& exchange, filter::Operation operation, const Subject& subject, std::string_view second = {});
  void was_read(filter::ReadKind kind, const Subject& subject);

  overlay::FileSystem& file_system_;
  filter::Filter* filter_;
  ServerOptions options_;
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

// The slot of this thread's present or last request.
extern thread_local RequestSlot* current_slot;

inline constexpr std::uint32_t permission_bits = 07777, setuid = 04000, setgid = 02000, group_execute = 00010;

abi::Attr to_attr(const overlay::Attributes& attributes);
abi::EntryOut to_entry(const overlay::Entry& entry);
// Seconds, about 68 years: only the mount changes what is below it, so the kernel's caches stay valid.
inline constexpr std::uint64_t forever = 1ULL << 31;
// How long the kernel may keep attributes, in seconds.
inline std::uint64_t validity_of(const overlay::Attributes& attributes) { return attributes.fleeting ? 0 : forever; }

}  // namespace lamina::server
