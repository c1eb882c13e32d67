// Makes every system call of an architecture under a filter that answers each, and prints "NUMBER errno" (0: not tried):
// every-call FILTER x86-64|i386 NUMBERS. The filter must let none through, for whatever this number does would be done.
// Ends with 77 where the machine runs no calls of the architecture.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <vector>

namespace {

long call64(long number) {
  long result;
  asm volatile("syscall" : "=a"(result) : "a"(number), "D"(0L), "S"(0L), "d"(0L) : "rcx", "r11", "memory");
  return result;
}

long call32(int number) {
  int result;
  asm volatile("int $0x80" : "=a"(result) : "a"(number), "b"(0), "c"(0), "d"(0) : "r8", "r9", "r10", "r11", "memory");
  return result;
}

// A virtual machine may end a process that makes a 32-bit call, whatever its kernel was built with.
bool has_calls32() {
  const pid_t child = fork();
  constexpr int getpid32 = 20;
  if (child == 0) _exit(call32(getpid32) == getpid() ? 0 : 1);
  int status = 0;
  return waitpid(child, &status, 0) == child && status == 0;
}

// uretprobe and uprobe: they go past every filter (Linux 6.14), and end a process that is not being probed.
bool is_probe(int number) { return number == 335 || number == 336; }

}  // namespace

int main(int count, char** arguments) {
  if (count != 4) return 2;
  std::ifstream file(arguments[1], std::ios::binary);
  std::vector<char> bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const bool is64 = strcmp(arguments[2], "x86-64") == 0;
  if (!is64 && !has_calls32()) return 77;
  const int numbers = atoi(arguments[3]);
  const auto size = static_cast<size_t>(numbers + 1) * sizeof(long);
  auto* results = static_cast<volatile long*>(mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  const pid_t child = fork();
  if (child == 0) {
    sock_fprog program = {static_cast<unsigned short>(bytes.size() / sizeof(sock_filter)),
                          reinterpret_cast<sock_filter*>(bytes.data())};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) != 0) _exit(1);
    for (int i = 0; i < numbers; ++i)
      if (!is64 || !is_probe(i)) results[i] = is64 ? call64(i) : call32(i);
    results[numbers] = 1;
    // It may not even end.
    for (;;) asm volatile("pause");
  }
  for (int waited = 0; results[numbers] == 0 && waited < 10'000 && waitpid(child, nullptr, WNOHANG) == 0; ++waited) usleep(1000);
  const bool done = results[numbers] == 1;
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  for (int i = 0; done && i < numbers; ++i) std::printf("%d %ld\n", i, -results[i]);
  return done ? 0 : 1;
}
