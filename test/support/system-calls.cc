// Tries system calls that a sandbox must refuse, and prints for each how it ended: "NAME errno" (0: it was let through).
#include <grp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string_view>

namespace {

void tell(const char* name, long result) { std::printf("%s %s\n", name, result >= 0 ? "0" : strerrorname_np(errno)); }

void traced() {
  const pid_t child = fork();
  if (child == 0) {
    const long result = ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    _exit(result == 0 ? 0 : errno);
  }
  int status = 0;
  waitpid(child, &status, 0);
  errno = WEXITSTATUS(status);
  tell("ptrace", errno == 0 ? 0 : -1);
}

// As Perl's $< and $> leave it: real and effective uid, and the saved one follows at the exec. Ends with 99 where that is not
// possible.
int leave_root(char** command) {
  constexpr uid_t somebody = 1000;
  if (setgroups(0, nullptr) != 0 || setreuid(somebody, static_cast<uid_t>(-1)) != 0 || seteuid(somebody) != 0) return 99;
  execv(command[0], command);
  return 99;
}

}  // namespace

int main(int count, char** arguments) {
  if (count > 2 && std::string_view(arguments[1]) == "leave-root") return leave_root(arguments + 2);
  tell("mount", mount("none", "/mnt", "tmpfs", 0, nullptr));
  tell("umount", umount2("/proc", MNT_DETACH));
  tell("pivot_root", syscall(SYS_pivot_root, "/", "/"));
  tell("fsopen", syscall(SYS_fsopen, "tmpfs", 0));
  tell("open_tree", syscall(SYS_open_tree, -100, "/", 1));
  tell("unshare-user", unshare(CLONE_NEWUSER));
  tell("unshare-files", unshare(CLONE_FILES));
  tell("clone-user", syscall(SYS_clone, CLONE_NEWUSER | 17, nullptr, nullptr, nullptr, nullptr));
  tell("clone3", syscall(SYS_clone3, nullptr, 0));
  tell("setns", syscall(SYS_setns, 0, 0));
  tell("init_module", syscall(SYS_init_module, nullptr, 0, ""));
  tell("kexec_load", syscall(SYS_kexec_load, 0, 0, nullptr, 0));
  tell("add_key", syscall(SYS_add_key, "user", "x", "y", 1, -3));
  tell("keyctl", syscall(SYS_keyctl, 0, -3, 0));
  tell("bpf", syscall(SYS_bpf, 0, nullptr, 0));
  tell("perf_event_open", syscall(SYS_perf_event_open, nullptr, 0, -1, -1, 0));
  tell("open_by_handle_at", syscall(SYS_open_by_handle_at, -100, nullptr, 0));
  tell("io_uring_setup", syscall(SYS_io_uring_setup, 1, nullptr));
  tell("syslog", syscall(SYS_syslog, 10, nullptr, 0));
  tell("tiocsti", ioctl(0, TIOCSTI, "x"));
  tell("tioclinux", ioctl(0, TIOCLINUX, "x"));
  tell("tcgets", ioctl(-1, TCGETS, nullptr));
  tell("vsock", socket(AF_VSOCK, SOCK_STREAM, 0));
  tell("unix", socket(AF_UNIX, SOCK_STREAM, 0));
  traced();
}
