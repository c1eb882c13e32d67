#include "daemon/security_contexts.h"

#include <fcntl.h>

#include "sys/data.h"
#include "sys/open.h"

namespace lamina::daemon {

namespace {

constexpr std::size_t longest_list = std::size_t{1} << 16;

// Where that cannot be found out, the kernel decides.
bool has_selinux() {
  const auto file = sys::open_path("/proc/filesystems", O_RDONLY);
  if (!file) return true;
  const auto text = sys::read_whole(file->get(), longest_list);
  return !text || lists_selinux(*text);
}

}  // namespace

bool lists_selinux(std::string_view filesystems) { return filesystems.find("\tselinuxfs\n") != std::string_view::npos; }

void settle_contexts(DaemonOptions& options) {
  if (options.security_contexts.empty() || has_selinux()) return;
  options.warnings.push_back("the security context has no effect: the kernel has no SELinux");
  options.security_contexts.clear();
}

}  // namespace lamina::daemon
