#include "sandbox/terminal.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sandbox/message.h"

namespace lamina::sandbox {
namespace {

constexpr std::size_t sides = 2;

// The buffer for a message with descriptors, suitably aligned.
struct Message {
  alignas(cmsghdr) char control[CMSG_SPACE(sides * sizeof(int))] = {};
  char byte = 0;
  iovec bytes = {&byte, 1};
  msghdr header = {};

  Message() {
    header.msg_iov = &bytes;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof control;
  }
  Message(const Message&) = delete;
  Message& operator=(const Message&) = delete;
};

}  // namespace

int make_terminal(const std::string& multiplexer, int socket) {
  const int master = open(multiplexer.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (master < 0) fail("cannot open " + multiplexer);
  const int unlocked = 0;
  if (ioctl(master, TIOCSPTLCK, &unlocked) != 0) fail("cannot unlock a terminal");
  const int other = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (other < 0) fail("cannot open a terminal");
  Message message;
  cmsghdr* rights = CMSG_FIRSTHDR(&message.header);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(sides * sizeof(int));
  const int both[sides] = {master, other};
  memcpy(CMSG_DATA(rights), both, sizeof both);
  if (sendmsg(socket, &message.header, 0) != 1) fail("cannot hand out a terminal");
  close(master);
  return other;
}

bool receive_terminal(int socket, int& master, int& other) {
  Message message;
  if (recvmsg(socket, &message.header, MSG_CMSG_CLOEXEC) != 1) return false;
  const cmsghdr* rights = CMSG_FIRSTHDR(&message.header);
  if (rights == nullptr || rights->cmsg_len != CMSG_LEN(sides * sizeof(int))) return false;
  int both[sides] = {};
  memcpy(both, CMSG_DATA(rights), sizeof both);
  master = both[0];
  other = both[1];
  return true;
}

}  // namespace lamina::sandbox
