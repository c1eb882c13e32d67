// The server: any messages, one after the other, over a socket in the kernel's place. After them it must still answer a
// whole request. Works on a small tree of its own in the directory for temporary files.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>

#include "fuse/abi_messages.h"
#include "fuzz/input.h"
#include "overlay/file_system.h"
#include "server/server.h"

namespace {

namespace abi = lamina::fuse::abi;
using lamina::fuzz::Input;
using lamina::fuzz::require;

constexpr std::uint64_t last_unique = 0x7FFFFFFFFFFFFFF0ULL;

std::string bytes_of(const abi::InHeader& header) { return {reinterpret_cast<const char*>(&header), sizeof header}; }

class Place {
 public:
  Place() : root_(std::filesystem::temp_directory_path() / "lamina-fuzz-XXXXXX") {
    std::string pattern = root_.string();
    require(::mkdtemp(pattern.data()) != nullptr);
    root_ = pattern;
    for (const char* name : {"lower/d/e", "upper", "work"}) std::filesystem::create_directories(root_ / name);
    for (const char* name : {"lower/f", "lower/d/g"}) {
      const int file = ::open((root_ / name).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
      require(file >= 0 && ::write(file, "content\n", 8) == 8);
      ::close(file);
    }
    std::filesystem::create_symlink("f", root_ / "lower/s");
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  ~Place() {
    std::error_code ignored;  // the run ends: what is left lies in the directory for temporary files
    std::filesystem::remove_all(root_, ignored);
  }
  [[nodiscard]] std::string path(const char* name) const { return (root_ / name).string(); }
  void empty_upper() const {
    for (const auto& each : std::filesystem::directory_iterator(root_ / "upper"))
      std::filesystem::remove_all(each.path());
  }

 private:
  std::filesystem::path root_;
};

// One server over one file system, until a number of inputs have changed it.
class Connection {
 public:
  explicit Connection(const Place& place) {
    lamina::overlay::Options options;
    options.lowers = {{place.path("lower"), ""}};
    options.upper = place.path("upper");
    options.work = place.path("work");
    options.user_xattr = ::geteuid() != 0;
    std::string explanation;
    auto opened = lamina::overlay::FileSystem::open(options, explanation);
    require(opened.ok());
    file_system_ = std::move(*opened);
    std::array<int, 2> ends{};
    require(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) == 0);
    kernel_ = ends[0];
    server_ = std::make_unique<lamina::server::Server>(*file_system_, nullptr, lamina::server::ServerOptions());
    std::vector<lamina::fuse::Channel> channels;
    channels.emplace_back(lamina::sys::FileDescriptor(ends[1]));
    server_->start(std::move(channels));
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() {
    ::close(kernel_);  // the worker reads the end
    static_cast<void>(server_->wait());
  }

  void send(const std::string& message) const {
    put(message);
    drain(MSG_DONTWAIT);
  }
  // Requests the root's attributes and waits for that answer.
  void settle() const {
    abi::InHeader header{};
    header.len = sizeof header + sizeof(abi::GetattrIn);
    header.opcode = static_cast<std::uint32_t>(abi::Opcode::getattr);
    header.unique = last_unique;
    header.nodeid = 1;
    put(bytes_of(header) + std::string(sizeof(abi::GetattrIn), '\0'));
    while (drain(0) != last_unique) continue;
  }

 private:
  void put(const std::string& message) const {
    require(::send(kernel_, message.data(), message.size(), 0) == static_cast<ssize_t>(message.size()));
  }
  // Reads one answer, and with MSG_DONTWAIT all that are there; the number of the request it answers.
  std::uint64_t drain(int flags) const {
    static std::string buffer(std::size_t{2} << 20U, '\0');
    abi::OutHeader header{};
    for (;;) {
      const ssize_t size = ::recv(kernel_, buffer.data(), buffer.size(), flags);
      if (size < 0 && errno == EINTR) continue;  // libFuzzer's clock
      if (size < 0 && flags != 0) return 0;
      require(size >= static_cast<ssize_t>(sizeof header));
      std::memcpy(&header, buffer.data(), sizeof header);
      require(header.len == static_cast<std::uint32_t>(size));
      // A notification has no number, and its code in the place of the error.
      require(header.unique == 0 ? header.error > 0 : header.error <= 0 && header.error > -4096);
      if (flags == 0) return header.unique;
    }
  }

  int kernel_ = -1;
  std::unique_ptr<lamina::overlay::FileSystem> file_system_;
  std::unique_ptr<lamina::server::Server> server_;
};

// A header that is mostly right, so that the arguments are tested.
std::string message_from(Input& input, std::uint64_t unique) {
  abi::InHeader header{};
  const std::uint8_t shape = input.byte();
  header.opcode = input.byte() % 64U;
  header.nodeid = input.byte() % 16U;
  header.unique = unique;
  header.uid = (shape & 1U) != 0 ? 1000 : 0;
  header.total_extlen = (shape & 2U) != 0 ? input.byte() : 0;
  const std::string_view body = input.bytes(input.byte());
  header.len = static_cast<std::uint32_t>(sizeof header + body.size() + ((shape & 12U) == 12U ? input.byte() : 0));
  std::string message = bytes_of(header) + std::string(body);
  // Fewer bytes than a header, too.
  if ((shape & 0xF0U) == 0xF0U) message.resize(1 + input.byte() % message.size());
  return message;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Place place;
  static std::unique_ptr<Connection> connection;
  static unsigned inputs = 0;
  if (inputs++ % 256 == 0) {
    connection.reset();
    place.empty_upper();
    connection = std::make_unique<Connection>(place);
  }
  Input input(data, size);
  for (std::uint64_t unique = 2; !input.empty(); unique += 2) connection->send(message_from(input, unique));
  connection->settle();
  return 0;
}
