#include "sandbox/privileges.h"

#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>

#include "sandbox/message.h"

namespace lamina::sandbox {
namespace {

constexpr unsigned capabilities_per_word = 32;
constexpr unsigned words = _LINUX_CAPABILITY_U32S_3;

// The C library has no functions for these.
using Sets = __user_cap_data_struct[words];

void write_sets(const Sets& sets) {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  if (syscall(SYS_capset, &header, sets) != 0) fail("cannot set the capabilities");
}

void add(std::uint32_t& set, unsigned capability) { set |= 1u << (capability % capabilities_per_word); }

// The inheritable and the ambient set are empty: a program that leaves root by real and effective uid alone (as Perl's
// $< and $> do, the saved one following at the next exec) then loses its capabilities, as in a root's own machine.
void hold_only(const std::vector<unsigned>& capabilities) {
  Sets sets = {};
  for (const unsigned capability : capabilities) {
    add(sets[capability / capabilities_per_word].permitted, capability);
    add(sets[capability / capabilities_per_word].effective, capability);
  }
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0) fail("cannot clear the ambient capabilities");
  write_sets(sets);
}

void limit_bounding_set(const std::vector<unsigned>& capabilities) {
  for (unsigned capability = 0; capability < words * capabilities_per_word; ++capability) {
    const int held = prctl(PR_CAPBSET_READ, capability, 0, 0, 0);
    if (held < 0) return;  // the kernel knows no more
    if (std::find(capabilities.begin(), capabilities.end(), capability) != capabilities.end()) continue;
    if (held == 1 && prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) fail("cannot limit the capabilities");
  }
}

void filter_system_calls(const std::string& filter) {
  sock_fprog program = {};
  program.len = static_cast<unsigned short>(filter.size() / sizeof(sock_filter));
  std::string copy = filter;
  program.filter = reinterpret_cast<sock_filter*>(copy.data());
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) != 0) fail("cannot filter system calls");
}

// A change to another user drops all capabilities; the requested ones are kept across exec.
void keep(const std::vector<unsigned>& capabilities) {
  Sets sets = {};
  for (const unsigned capability : capabilities) {
    auto& word = sets[capability / capabilities_per_word];
    add(word.permitted, capability);
    add(word.effective, capability);
    add(word.inheritable, capability);
  }
  write_sets(sets);
  for (const unsigned capability : capabilities)
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) != 0) fail("cannot keep a capability");
}

}  // namespace

std::string read_filter(int file) {
  constexpr std::size_t largest = 4096 * sizeof(sock_filter);
  std::string filter(largest + 1, '\0');
  const ssize_t count = pread(file, filter.data(), filter.size(), 0);
  if (count < 0) fail("cannot read the filter of system calls");
  filter.resize(static_cast<std::size_t>(count));
  if (filter.empty() || filter.size() > largest || filter.size() % sizeof(sock_filter) != 0)
    fail("cannot read the filter of system calls", EINVAL);
  return filter;
}

void limit_privileges(const Spec& spec, const std::string& filter) {
  if (prctl(PR_SET_SECUREBITS, SECUREBITS_DEFAULT, 0, 0, 0) != 0) fail("cannot set the secure bits");
  limit_bounding_set(spec.capabilities);
  if (!spec.gains_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) fail("cannot refuse new privileges");
  // Before the capabilities are dropped: without no_new_privs it needs one.
  filter_system_calls(filter);
  hold_only(spec.capabilities);
}

void become_user(const Spec& spec) {
  if (spec.uid == 0 && spec.gid == 0 && spec.groups.empty()) return;
  if (!spec.kept_capabilities.empty() && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0) fail("cannot keep capabilities");
  if (setgroups(spec.groups.size(), spec.groups.data()) != 0) fail("cannot set the groups of the user");
  if (setresgid(spec.gid, spec.gid, spec.gid) != 0) fail("cannot set the group of the user");
  if (setresuid(spec.uid, spec.uid, spec.uid) != 0) fail("cannot become the user");
  if (spec.uid != 0 && !spec.kept_capabilities.empty()) keep(spec.kept_capabilities);
}

}  // namespace lamina::sandbox
