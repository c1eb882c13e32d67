// FIFOs, sockets and device nodes.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

#include "support/scratch.h"

namespace conformance {
namespace {

using SpecialFiles = Scratch;

FileDescriptor unix_socket() { return FileDescriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)); }

// Calls bind or connect. By a path through /proc, which is short enough for sun_path.
template <typename Call>
long at_address(Call call, int socket, const Path& directory, const std::string& name) {
  const FileDescriptor parent = opened(directory, O_PATH | O_DIRECTORY);
  const std::string path = "/proc/self/fd/" + std::to_string(parent.get()) + "/" + name;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  return call(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

TEST_F(SpecialFiles, AFifoJoinsProcesses) {
  ASSERT_OK(::mkfifo(here / "fifo", 0640));
  EXPECT_EQ(status(here / "fifo").st_mode, S_IFIFO | 0640U);
  Child writer([&]() -> long {
    append(opened(here / "fifo", O_WRONLY).get(), "through the fifo");
    return 0;
  });
  const FileDescriptor reader = opened(here / "fifo", O_RDONLY);
  std::string text(16, '\0');
  EXPECT_EQ(::read(reader.get(), text.data(), text.size()), 16);
  EXPECT_EQ(text, "through the fifo");
  EXPECT_OK(writer.wait());
}

TEST_F(SpecialFiles, AFifoWithoutReaders) {
  ASSERT_OK(::mkfifo(here / "fifo", 0666));
  EXPECT_ERRNO(ENXIO, ::open(here / "fifo", O_WRONLY | O_NONBLOCK));
  const FileDescriptor reader = opened(here / "fifo", O_RDONLY | O_NONBLOCK);
  EXPECT_TRUE(opened(here / "fifo", O_WRONLY | O_NONBLOCK).valid());
  EXPECT_ERRNO(ESPIPE, ::lseek(reader.get(), 0, SEEK_SET));
}

TEST_F(SpecialFiles, AFifoByItsOtherNameIsTheSame) {
  ASSERT_OK(::mkfifo(here / "fifo", 0666));
  make_link(here / "fifo", here / "other");
  const FileDescriptor reader = opened(here / "fifo", O_RDONLY | O_NONBLOCK);
  append(opened(here / "other", O_WRONLY).get(), "x");
  char byte = 0;
  EXPECT_EQ(::read(reader.get(), &byte, 1), 1);
}

TEST_F(SpecialFiles, ASocketConnects) {
  const FileDescriptor server = unix_socket();
  ASSERT_OK(at_address(::bind, server.get(), here, "socket"));
  ASSERT_OK(::listen(server.get(), 1));
  EXPECT_TRUE(S_ISSOCK(status(here / "socket").st_mode));
  Child client([&]() -> long {
    const FileDescriptor own = unix_socket();
    if (at_address(::connect, own.get(), here, "socket") != 0) return -1;
    append(own.get(), "hello");
    return 0;
  });
  const FileDescriptor connection(::accept(server.get(), nullptr, nullptr));
  char buffer[5];
  EXPECT_EQ(::read(connection.get(), buffer, 5), 5);
  EXPECT_OK(client.wait());
}

TEST_F(SpecialFiles, ASocketConnectsAfterItWasRenamed) {
  const FileDescriptor server = unix_socket();
  ASSERT_OK(at_address(::bind, server.get(), here, "socket"));
  ASSERT_OK(::listen(server.get(), 5));
  ASSERT_OK(::rename(here / "socket", here / "moved"));
  EXPECT_OK(at_address(::connect, unix_socket().get(), here, "moved"));
  drop_caches();
  EXPECT_OK(at_address(::connect, unix_socket().get(), here, "moved"));
}

TEST_F(SpecialFiles, ASocketIsNotOpenedAndItsNameIsTaken) {
  const FileDescriptor server = unix_socket();
  ASSERT_OK(at_address(::bind, server.get(), here, "socket"));
  EXPECT_ERRNO(ENXIO, ::open(here / "socket", O_RDWR));
  EXPECT_ERRNO(EADDRINUSE, at_address(::bind, unix_socket().get(), here, "socket"));
  EXPECT_ERRNO(ECONNREFUSED, at_address(::connect, unix_socket().get(), here, "socket")) << "nobody listens";
}

TEST_F(SpecialFiles, ASocketGuardsByItsMode) {
  const FileDescriptor server = unix_socket();
  ASSERT_OK(at_address(::bind, server.get(), here, "socket"));
  ASSERT_OK(::listen(server.get(), 5));
  ASSERT_OK(::chmod(here / "socket", 0600));
  EXPECT_ERRNO(EACCES, as(alice, [&] { return at_address(::connect, unix_socket().get(), here, "socket"); }));
}

TEST_F(SpecialFiles, DevicesWork) {
  ASSERT_OK(::mknod(here / "null", S_IFCHR | 0666, makedev(1, 3)));
  ASSERT_OK(::mknod(here / "zero", S_IFCHR | 0666, makedev(1, 5)));
  append(opened(here / "null", O_WRONLY).get(), "gone");
  EXPECT_EQ(contents(here / "null"), "");
  std::string zeros(100, 'x');
  EXPECT_EQ(::read(opened(here / "zero", O_RDONLY).get(), zeros.data(), zeros.size()), 100);
  EXPECT_EQ(zeros, std::string(100, '\0'));
}

TEST_F(SpecialFiles, DeviceNumbersAreKept) {
  // The largest that xfs keeps too.
  ASSERT_OK(::mknod(here / "large", S_IFBLK | 0600, makedev(511, 262143)));
  ASSERT_OK(::mknod(here / "small", S_IFCHR | 0600, makedev(5, 1)));
  drop_caches();
  EXPECT_EQ(status(here / "large").st_rdev, makedev(511, 262143));
  EXPECT_EQ(status(here / "small").st_rdev, makedev(5, 1));
  EXPECT_TRUE(S_ISBLK(status(here / "large").st_mode));
}

TEST_F(SpecialFiles, ADeviceWithoutDriver) {
  ASSERT_OK(::mknod(here / "device", S_IFCHR | 0666, makedev(400, 4000)));
  EXPECT_ERRNO(ENXIO, ::open(here / "device", O_RDWR));
}

TEST_F(SpecialFiles, DevicesAreForRootToMake) {
  EXPECT_ERRNO(EPERM, as(alice, [&]() -> long { return ::mknod(here / "d", S_IFCHR | 0666, makedev(1, 3)); }));
  EXPECT_ERRNO(EPERM, as(alice, [&]() -> long { return ::mknod(here / "d", S_IFBLK | 0666, makedev(7, 0)); }));
  EXPECT_OK(as(alice, [&]() -> long { return ::mknod(here / "fifo", S_IFIFO | 0666, 0); }));
  EXPECT_OK(as(alice, [&]() -> long { return ::mknod(here / "socket", S_IFSOCK | 0666, 0); }));
}

TEST_F(SpecialFiles, TakeAttributesAndNames) {
  ASSERT_OK(::mkfifo(here / "fifo", 0600));
  ASSERT_OK(::mknod(here / "null", S_IFCHR | 0600, makedev(1, 3)));
  for (const char* name : {"fifo", "null"}) {
    EXPECT_OK(::chmod(here / name, 0640));
    EXPECT_OK(::chown(here / name, 3, 4));
    EXPECT_OK(::rename(here / name, here / "moved"));
    EXPECT_EQ(status(here / "moved").st_mode & 07777, 0640U);
    EXPECT_EQ(status(here / "moved").st_gid, 4U);
    EXPECT_OK(::unlink(here / "moved"));
  }
}

}  // namespace
}  // namespace conformance
