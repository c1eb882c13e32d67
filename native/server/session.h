// What the workers of a mount share, and the handlers.
#pragma once

#include <array>
#include <atomic>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "filter/filter.h"
#include "fuse/abi.h"
#include "fuse/channel.h"
#include "fuse/request.h"
#include "overlay/file_system.h"
#include "server/server.h"

namespace lamina::server {

namespace abi = fuse::abi;

inline constexpr std::size_t max_pages = 256;
inline constexpr std::size_t page_size = 4096;
inline constexpr std::size_t max_write = max_pages * page_size;
// Header and arguments of a WRITE end where its data begin; the buffer is laid so that the data lie on a page.
inline constexpr std::size_t write_head = sizeof(abi::InHeader) + sizeof(abi::WriteIn);

// The request that a worker is at, so that INTERRUPT finds it.
struct alignas(64) Slot {
  std::atomic<std::uint64_t> unique{0};
  std::atomic<bool> interrupted{false};
};

// One request on its way. Every handler answers exactly once, by one of the functions here; what is malformed is answered EINVAL.
class Exchange {
 public:
  Exchange(const fuse::Channel& channel, fuse::Request& request, Slot& slot, std::span<std::byte> scratch)
      : channel_(channel), request_(request), slot_(slot), scratch_(scratch) {}

  [[nodiscard]] fuse::Request& request() { return request_; }
  [[nodiscard]] const abi::InHeader& header() const { return request_.header(); }
  [[nodiscard]] overlay::NodeId node() const { return header().nodeid; }
  [[nodiscard]] overlay::Caller caller(std::uint32_t umask = 0) const {
    return {header().uid, header().gid, static_cast<std::int32_t>(header().pid), umask};
  }
  [[nodiscard]] overlay::Interrupted interrupted() const {
    return [slot = &slot_] { return slot->interrupted.load(std::memory_order_relaxed); };
  }
  // Room for an answer, max_write bytes.
  [[nodiscard]] std::span<std::byte> scratch() const { return scratch_; }

  void answer(std::span<const std::byte> body) { sent(channel_.reply(header().unique, body)); }
  void answer(std::span<const std::byte> head, std::span<const std::byte> body) {
    sent(channel_.reply(header().unique, head, body));
  }
  template <typename T>
  void answer_with(const T& body) {
    answer(std::as_bytes(std::span(&body, 1)));
  }
  void answer_empty() { answer({}); }
  void answer_error(int error) { sent(channel_.reply_error(header().unique, error)); }
  void answer_status(const sys::Status& status) { status.ok() ? answer_empty() : answer_error(status.error().value); }
  // No answer is due: FORGET.
  void no_answer() {}

 private:
  // An answer that the kernel refuses (EINVAL for a malformed one) would leave its caller waiting.
  void sent(const sys::Status& status) {
    if (!status.ok() && !status.failed_with(ENODEV)) {
      const sys::Status second = channel_.reply_error(header().unique, EIO);
      (void)second;  // the mount is going, or the kernel keeps the request until it goes
    }
  }

  const fuse::Channel& channel_;
  fuse::Request& request_;
  Slot& slot_;
  std::span<std::byte> scratch_;
};

class Session {
 public:
  Session(overlay::FileSystem& file_system, filter::Filter* filter, const ServerOptions& options, std::size_t workers);

  // Answers requests until the mount is gone (ENODEV).
  sys::Status work(const fuse::Channel& channel, std::size_t worker);
  [[nodiscard]] Statistics statistics() const;

 private:
  using Handler = void (Session::*)(Exchange&);
  struct Operation {
    const char* name = nullptr;
    Handler handler = nullptr;
  };
  static const std::array<Operation, abi::opcode_limit>& operations();

  void dispatch(Exchange& exchange);

  // session_life.cc
  void init(Exchange& exchange);
  void destroy(Exchange& exchange);
  void interrupt(Exchange& exchange);
  void statfs(Exchange& exchange);
  void syncfs(Exchange& exchange);
  void unsupported(Exchange& exchange);
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
  // session_data.cc
  void open(Exchange& exchange);
  void create(Exchange& exchange);
  void tmpfile(Exchange& exchange);
  void release(Exchange& exchange);
  void flush(Exchange& exchange);
  void read(Exchange& exchange);
  void write(Exchange& exchange);
  void fsync(Exchange& exchange);
  void fallocate(Exchange& exchange);
  void lseek(Exchange& exchange);
  void copy_file_range(Exchange& exchange);
  // session_directories.cc
  void opendir(Exchange& exchange);
  void readdir(Exchange& exchange);
  void readdirplus(Exchange& exchange);
  void list(Exchange& exchange, bool plus);

  void rename_names(Exchange& exchange, overlay::NodeId new_parent, std::uint32_t flags);
  void answer_entry(Exchange& exchange, const sys::Result<overlay::Entry>& entry);

  // The filter's part. A path is worked out only where there is a filter.
  struct Subject {
    bool watched = false;  // there is a filter and the object has a path
    std::string path;
  };
  Subject subject(overlay::NodeId node);
  Subject subject(overlay::NodeId parent, std::string_view name);
  // EROFS where a rule protects the path.
  sys::Status guard(const Subject& subject) const;
  // Before the answer: the caller waits, so its command name can still be read.
  void changed(const Exchange& exchange, std::string_view operation, const Subject& subject, std::string_view other = {});
  void was_read(filter::ReadKind kind, const Subject& subject);

  overlay::FileSystem& file_system_;
  filter::Filter* filter_;
  ServerOptions options_;
  std::vector<Slot> slots_;
  struct alignas(64) Count {
    std::atomic<std::uint64_t> value{0};
  };
  std::array<Count, abi::opcode_limit> counts_;
  Count bytes_read_, bytes_written_;
};

abi::Attr to_attr(const overlay::Attributes& attributes);
abi::EntryOut to_entry(const overlay::Entry& entry);
// Nobody but the mount changes what is below it, so what the kernel has heard stays true: about 68 years, in seconds.
inline constexpr std::uint64_t forever = 1ULL << 31;

}  // namespace lamina::server
