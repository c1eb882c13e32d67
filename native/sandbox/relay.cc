#include "sandbox/relay.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <climits>

#include "sandbox/message.h"
#include "sandbox/pipes.h"

namespace lamina::sandbox {
namespace {

constexpr std::size_t buffer_bytes = 1 << 16;
constexpr int background_poll_ms = 200;

// Our own end only: the command's is another open file description.
void never_wait(int file) {
  if (fcntl(file, F_SETFL, O_NONBLOCK) != 0) fail("cannot set a pipe's mode");
}

bool is_file(int file) {
  struct stat status = {};
  return fstat(file, &status) == 0 && S_ISREG(status.st_mode);
}

// A writable pipe accepts this much at once; a longer write could block.
std::size_t at_once(int file, std::size_t bytes) {
  return is_file(file) ? bytes : std::min<std::size_t>(bytes, PIPE_BUF);
}

}  // namespace

Relay::Relay(const Spec& spec) {
  on_terminal_ = spec.terminal;
  if (spec.input && !spec.terminal) {
    Channel input{STDIN_FILENO, -1, "standard input", true, {}};
    const Pipe pipe = make_pipe();
    ends_.input = pipe.read_end;
    input.to = pipe.write_end;
    never_wait(input.to);
    if (is_file(STDIN_FILENO)) unread_ = fcntl(ends_.input, F_DUPFD_CLOEXEC, 0);
    channels_.push_back(input);
  }
  Channel error{-1, STDERR_FILENO, "standard error", false, {}};
  if (!spec.terminal || isatty(STDERR_FILENO) == 0) {
    const Pipe pipe = make_pipe();
    error.from = pipe.read_end;
    ends_.error = pipe.write_end;
    never_wait(error.from);
    channels_.push_back(error);
  }
  if (spec.terminal) return;
  Channel output{-1, STDOUT_FILENO, "standard output", false, {}};
  const Pipe pipe = make_pipe();
  output.from = pipe.read_end;
  ends_.output = pipe.write_end;
  never_wait(output.from);
  channels_.push_back(output);
}

void Relay::close_ends() {
  for (const int end : {ends_.input, ends_.output, ends_.error})
    if (end >= 0) close(end);
  ends_ = {};
}

void Relay::begin_terminal(int master, int other) {
  master_ = master;
  other_ = other;
  never_wait(master);
  if (tcgetattr(STDIN_FILENO, &before_) != 0) fail("cannot read the modes of the terminal");
  if (tcsetattr(other, TCSANOW, &before_) != 0) fail("cannot set the modes of the command's terminal");
  resize();
  termios raw = before_;
  cfmakeraw(&raw);
  if (tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) != 0) fail("cannot set the modes of the terminal");
  channels_.push_back({STDIN_FILENO, master, "standard input", true, {}});
  channels_.push_back({master, STDOUT_FILENO, "standard output", false, {}});
}

void Relay::resize() const {
  winsize size = {};
  if (master_ >= 0 && ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0) (void)ioctl(master_, TIOCSWINSZ, &size);
}

// A terminal's input is not taken from others: from the foreground group, and from a pager, which is active while our
// writes to it block.
bool Relay::may_read(const Channel& channel) const {
  if (channel.from < 0 || channel.waiting.size() >= buffer_bytes) return false;
  if (!channel.is_input || on_terminal_ || isatty(channel.from) == 0) return channel.waiting.empty();
  for (const Channel& other : channels_)
    if (!other.is_input && !other.waiting.empty()) return false;
  const pid_t foreground = tcgetpgrp(channel.from);
  return channel.waiting.empty() && (foreground < 0 || foreground == getpgrp());
}

int Relay::patience() const {
  for (const Channel& channel : channels_)
    if (channel.is_input && channel.from >= 0 && channel.waiting.empty() && !may_read(channel))
      return background_poll_ms;
  return -1;
}

void Relay::add_to(pollfd* waits, std::size_t& count) const {
  for (const Channel& channel : channels_) {
    const bool writes = !channel.waiting.empty();
    waits[count++] = {writes              ? channel.to
                      : may_read(channel) ? channel.from
                                          : -1,
                      static_cast<short>(writes ? POLLOUT : POLLIN), 0};
  }
}

void Relay::go_on(const pollfd* waits, std::size_t count) {
  for (std::size_t i = 0; i < count && i < channels_.size(); ++i) {
    if (waits[i].revents == 0) continue;
    if (channels_[i].waiting.empty())
      receive(channels_[i]);
    else
      send(channels_[i]);
  }
}

void Relay::receive(Channel& channel) {
  char buffer[buffer_bytes];
  const ssize_t count = read(channel.from, buffer, sizeof buffer);
  if (count > 0) {
    channel.waiting.assign(buffer, static_cast<std::size_t>(count));
    return;
  }
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  end(channel);
}

void Relay::send(Channel& channel) {
  const ssize_t count = write(channel.to, channel.waiting.data(), at_once(channel.to, channel.waiting.size()));
  if (count >= 0) {
    channel.waiting.erase(0, static_cast<std::size_t>(count));
    return;
  }
  if (errno == EAGAIN || errno == EINTR) return;
  // A closed reader is not a failure: the command sees it as if it had written there itself.
  if (!channel.is_input && errno != EPIPE) {
    lost_ = true;
    if (channel.to != STDERR_FILENO) say(std::string("cannot write to ") + channel.name, errno);
  }
  channel.waiting.clear();
  end(channel);
}

void Relay::end(Channel& channel) {
  // Both directions of the terminal use the same file.
  if (channel.from > STDERR_FILENO && channel.from != master_) close(channel.from);
  if (channel.is_input && channel.to != master_) close(channel.to);
  channel.from = -1;
  if (channel.is_input) channel.to = -1;
}

void Relay::drain(Channel& channel) {
  while (channel.from >= 0) {
    while (!channel.waiting.empty()) {
      pollfd wait = {channel.to, POLLOUT, 0};
      if (poll(&wait, 1, -1) >= 0) send(channel);
    }
    if (channel.from < 0) return;
    receive(channel);
    // Nothing more arrives: other holders of the other end do not matter.
    if (channel.waiting.empty()) return;
  }
}

// What the command has not read of a file stays for the next reader, as if the command had read the file itself.
void Relay::give_back(const Channel& channel) const {
  int unread = 0;
  if (unread_ < 0 || ioctl(unread_, FIONREAD, &unread) != 0) return;
  const auto bytes = static_cast<off_t>(unread) + static_cast<off_t>(channel.waiting.size());
  if (bytes > 0) (void)lseek(STDIN_FILENO, -bytes, SEEK_CUR);
}

void Relay::restore_terminal() const {
  if (master_ >= 0) (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &before_);
}

void Relay::finish() {
  for (Channel& channel : channels_) {
    if (channel.is_input)
      give_back(channel);
    else
      drain(channel);
  }
  restore_terminal();
}

}  // namespace lamina::sandbox
