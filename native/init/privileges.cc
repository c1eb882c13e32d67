#include "init/privileges.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

#include "init/message.h"

namespace lamina::init {
namespace {

constexpr unsigned capabilities_per_word = 32;

// The C library has no functions for these.
using Sets = __user_cap_data_struct[_LINUX_CAPABILITY_U32S_3];

void read_sets(Sets& sets) {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  if (syscall(SYS_capget, &header, sets) != 0) fail("cannot read the capabilities");
}

void write_sets(const Sets& sets) {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  if (syscall(SYS_capset, &header, sets) != 0) fail("cannot set the capabilities");
}

bool is_permitted(const Sets& sets, unsigned capability) {
  return (sets[capability / capabilities_per_word].permitted >> (capability % capabilities_per_word) & 1u) != 0;
}

// Without CAP_SETPCAP the set cannot be changed; no_new_privs then is what keeps an exec from using it.
void limit_bounding_set(const Sets& sets) {
  if (!is_permitted(sets, CAP_SETPCAP)) return;
  for (unsigned capability = 0; capability < 2 * capabilities_per_word; ++capability) {
    const int held = prctl(PR_CAPBSET_READ, capability, 0, 0, 0);
    if (held < 0) return;  // the kernel knows no more
    if (held == 1 && !is_permitted(sets, capability) && prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0)
      fail("cannot limit the capabilities");
  }
}

}  // namespace

void limit_inherited_capabilities() {
  Sets sets = {};
  read_sets(sets);
  limit_bounding_set(sets);
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0) fail("cannot clear the ambient capabilities");
  for (auto& word : sets) word.inheritable = 0;
  write_sets(sets);
}

}  // namespace lamina::init
