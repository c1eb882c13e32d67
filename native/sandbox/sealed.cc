#include "sandbox/sealed.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/message.h"

namespace lamina::sandbox {
namespace {

constexpr int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
constexpr char program_name[] = "lamina-sandbox";
// linux/memfd.h of Linux 6.3; older kernels lack this flag, and do not need it.
constexpr unsigned executable_file = 0x10;

int memory_file() {
  const int file = memfd_create(program_name, MFD_CLOEXEC | MFD_ALLOW_SEALING | executable_file);
  if (file >= 0 || errno != EINVAL) return file;
  return memfd_create(program_name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
}

void copy(int from, int to) {
  struct stat status = {};
  if (fstat(from, &status) != 0) fail("cannot look at lamina-sandbox");
  for (off_t left = status.st_size; left > 0;) {
    const ssize_t count = sendfile(to, from, nullptr, static_cast<std::size_t>(left));
    if (count <= 0) fail("cannot copy lamina-sandbox into memory");
    left -= count;
  }
}

}  // namespace

void run_from_memory(char** arguments) {
  const int own = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  if (own < 0) fail("cannot open lamina-sandbox by /proc/self/exe");
  const int present = fcntl(own, F_GET_SEALS);
  if (present >= 0 && (present & seals) == seals) {
    close(own);
    if (prctl(PR_SET_NAME, program_name) != 0) fail("cannot set the name of the process");
    return;
  }
  const int file = memory_file();
  if (file < 0) fail("cannot make a file in memory");
  copy(own, file);
  if (fchmod(file, 0500) != 0 || fcntl(file, F_ADD_SEALS, seals) != 0) fail("cannot seal a file in memory");
  // The sandbox sees this name: it must not reveal where the host has the program.
  arguments[0] = const_cast<char*>(program_name);
  fexecve(file, arguments, environ);
  fail("cannot run lamina-sandbox from memory");
}

}  // namespace lamina::sandbox
