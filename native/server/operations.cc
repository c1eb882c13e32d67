// The operations of the protocol, one row each.
#include <array>
#include <optional>
#include <string_view>
#include <tuple>
#include <type_traits>

#include "fuse/request.h"
#include "server/session.h"

namespace lamina::server {

namespace {

using fuse::Request;

// Arguments that are no structure of the protocol.
struct Name {};  // not empty
struct Text {};  // may be empty
struct Rest {};  // all bytes that are left

// How an argument is taken from a request, and what the handler gets.
template <typename Structure>
struct Argument {
  using Type = Structure;
  static constexpr std::size_t size = sizeof(Structure);
  static constexpr unsigned names = 0;
  static std::optional<Type> take(Request& request) { return request.take<Structure>(); }
};
template <>
struct Argument<Name> {
  using Type = std::string_view;
  static constexpr std::size_t size = 0;
  static constexpr unsigned names = 1;
  static std::optional<Type> take(Request& request) { return request.take_name(); }
};
template <>
struct Argument<Text> {
  using Type = std::string_view;
  static constexpr std::size_t size = 0;
  static constexpr unsigned names = 0;
  static std::optional<Type> take(Request& request) { return request.take_text(); }
};
template <>
struct Argument<Rest> {
  using Type = std::span<const std::byte>;
  static constexpr std::size_t size = 0;
  static constexpr unsigned names = 0;
  static std::optional<Type> take(Request& request) { return request.take_rest(); }
};

// Calls the handler with the arguments, in their order; false where the request does not have them.
template <typename... Arguments, typename Handler>
bool with_arguments(Request& request, Handler handler) {
  // Braces: taken from left to right.
  const std::tuple<std::optional<typename Argument<Arguments>::Type>...> taken{Argument<Arguments>::take(request)...};
  return std::apply(
      [&](const auto&... each) {
        const bool complete = (... && each.has_value());
        if (complete) handler(*each...);
        return complete;
      },
      taken);
}

template <auto handler, typename... Arguments>
Answer handle(Session& session, Exchange& exchange) {
  Answer answer = sys::Errno{EINVAL};
  with_arguments<Arguments...>(exchange.request(), [&](const auto&... arguments) {
    static_assert(std::is_same_v<decltype((session.*handler)(exchange, arguments...)), Answer>);
    answer = (session.*handler)(exchange, arguments...);
  });
  return answer;
}

template <auto handler, typename... Arguments>
void handle_unanswered(Session& session, Exchange& exchange) {
  with_arguments<Arguments...>(exchange.request(), [&](const auto&... arguments) {
    static_assert(std::is_same_v<decltype((session.*handler)(exchange, arguments...)), void>);
    (session.*handler)(exchange, arguments...);
  });
}

template <typename... Arguments>
constexpr Operation row(const char* name) {
  return {name, (std::size_t{0} + ... + Argument<Arguments>::size), (0U + ... + Argument<Arguments>::names)};
}

// Rows are made by these four: of the handler, and the arguments that it gets.
template <auto handler, typename... Arguments>
constexpr Operation answered(const char* name) {
  Operation made = row<Arguments...>(name);
  made.handle = handle<handler, Arguments...>;
  return made;
}

template <auto handler, typename... Arguments>
constexpr Operation changes_names(const char* name) {
  Operation made = answered<handler, Arguments...>(name);
  made.changes_names = true;
  return made;
}

template <auto handler, typename... Arguments>
constexpr Operation unanswered(const char* name) {
  Operation made = row<Arguments...>(name);
  made.handle_unanswered = handle_unanswered<handler, Arguments...>;
  return made;
}

constexpr Operation unsupported(const char* name) { return row<>(name); }

}  // namespace

struct Session::Table {
  struct Entry {
    abi::Opcode opcode;
    Operation operation;
  };
  using Op = abi::Opcode;
  static constexpr std::array entries{
      Entry{Op::lookup, answered<&Session::lookup, Name>("lookup")},
      Entry{Op::forget, unanswered<&Session::forget, abi::ForgetIn>("forget")},
      Entry{Op::batch_forget, unanswered<&Session::batch_forget, abi::BatchForgetIn, Rest>("batch_forget")},
      Entry{Op::getattr, answered<&Session::getattr, abi::GetattrIn>("getattr")},
      Entry{Op::setattr, answered<&Session::setattr, abi::SetattrIn>("setattr")},
      Entry{Op::statx, answered<&Session::statx>("statx")},
      Entry{Op::readlink, answered<&Session::readlink>("readlink")},
      Entry{Op::symlink, changes_names<&Session::symlink, Name, Text>("symlink")},
      Entry{Op::mknod, changes_names<&Session::mknod, abi::MknodIn, Name>("mknod")},
      Entry{Op::mkdir, changes_names<&Session::mkdir, abi::MkdirIn, Name>("mkdir")},
      Entry{Op::unlink, changes_names<&Session::unlink, Name>("unlink")},
      Entry{Op::rmdir, changes_names<&Session::rmdir, Name>("rmdir")},
      Entry{Op::rename, changes_names<&Session::rename, abi::RenameIn, Name, Name>("rename")},
      Entry{Op::rename2, changes_names<&Session::rename2, abi::Rename2In, Name, Name>("rename2")},
      Entry{Op::link, changes_names<&Session::link, abi::LinkIn, Name>("link")},
      Entry{Op::open, answered<&Session::open, abi::OpenIn>("open")},
      Entry{Op::create, changes_names<&Session::create, abi::CreateIn, Name>("create")},
      Entry{Op::tmpfile, answered<&Session::tmpfile, abi::CreateIn>("tmpfile")},
      Entry{Op::read, answered<&Session::read, abi::ReadIn>("read")},
      Entry{Op::write, answered<&Session::write, abi::WriteIn, Rest>("write")},
      Entry{Op::flush, unsupported("flush")},  // no write is delayed until a file is closed
      Entry{Op::release, answered<&Session::release, abi::ReleaseIn>("release")},
      Entry{Op::fsync, answered<&Session::fsync, abi::FsyncIn>("fsync")},
      Entry{Op::fsyncdir, answered<&Session::fsync, abi::FsyncIn>("fsyncdir")},
      Entry{Op::statfs, answered<&Session::statfs>("statfs")},
      Entry{Op::syncfs, answered<&Session::syncfs>("syncfs")},
      Entry{Op::setxattr, answered<&Session::setxattr, abi::SetxattrIn, Name, Rest>("setxattr")},
      Entry{Op::getxattr, answered<&Session::getxattr, abi::GetxattrIn, Name>("getxattr")},
      Entry{Op::listxattr, answered<&Session::listxattr, abi::GetxattrIn>("listxattr")},
      Entry{Op::removexattr, answered<&Session::removexattr, Name>("removexattr")},
      Entry{Op::opendir, unsupported("opendir")},
      Entry{Op::readdir, answered<&Session::readdir, abi::ReadIn>("readdir")},
      Entry{Op::readdirplus, answered<&Session::readdirplus, abi::ReadIn>("readdirplus")},
      Entry{Op::releasedir, unsupported("releasedir")},
      Entry{Op::fallocate, answered<&Session::fallocate, abi::FallocateIn>("fallocate")},
      Entry{Op::lseek, answered<&Session::lseek, abi::LseekIn>("lseek")},
      Entry{Op::copy_file_range, answered<&Session::copy_file_range, abi::CopyFileRangeIn>("copy_file_range")},
      Entry{Op::copy_file_range_64, answered<&Session::copy_file_range_64, abi::CopyFileRangeIn>("copy_file_range_64")},
      Entry{Op::interrupt, unanswered<&Session::interrupt, abi::InterruptIn>("interrupt")},
      Entry{Op::init, answered<&Session::init, abi::InitIn>("init")},
      Entry{Op::destroy, answered<&Session::nothing>("destroy")},
      // To FUSE_NOTIFY_RETRIEVE, which is never sent.
      Entry{Op::notify_reply, unanswered<&Session::ignore>("notify_reply")},
      Entry{Op::ioctl, answered<&Session::ioctl, abi::IoctlIn, Rest>("ioctl")},
      Entry{Op::access, unsupported("access")},
      Entry{Op::poll, unsupported("poll")},
      Entry{Op::bmap, unsupported("bmap")},
  };
  using ByOpcode = std::array<Operation, abi::opcode_limit + 1>;
  static constexpr ByOpcode make() {
    ByOpcode made{};
    for (const Entry& entry : entries) made[static_cast<std::size_t>(entry.opcode)] = entry.operation;
    return made;
  }
};

const Operation& Session::operation_of(std::uint32_t opcode) {
  static constexpr Table::ByOpcode table = Table::make();  // the last row is that of all numbers beyond
  return table[std::min<std::size_t>(opcode, abi::opcode_limit)];
}

}  // namespace lamina::server
