#include "overlay/layers/walk.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <vector>

#include "sys/directory.h"
#include "sys/open.h"
#include "sys/status.h"

namespace lamina::overlay {

namespace {
// Removed meanwhile.
template <typename T>
bool is_gone(const sys::Result<T>& result) {
  return result.failed_with(ENOENT) || result.failed_with(ENOTDIR);
}
}  // namespace

sys::Status walk_tree(int root, const std::function<sys::Status(const WalkedEntry&)>& each) {
  std::vector<std::string> waiting{""};
  while (!waiting.empty()) {
    const std::string above = std::move(waiting.back());
    waiting.pop_back();
    const auto directory = sys::open_beneath(root, above, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (is_gone(directory)) continue;
    if (!directory) return directory.error();
    LAMINA_TRY(sys::read_directory(directory->get(), [&](const sys::DirectoryRecord& record) -> sys::Status {
      WalkedEntry entry{directory->get(), record.name, above, record.type};
      if (!above.empty()) entry.path += '/';
      entry.path += record.name;
      if (entry.type == 0) {
        const auto status = sys::status_at(directory->get(), record.name);
        if (is_gone(status)) return {};
        if (!status) return status.error();
        entry.type = status->type();
      }
      if (S_ISDIR(entry.type)) waiting.push_back(entry.path);
      return each(entry);
    }));
  }
  return {};
}

}  // namespace lamina::overlay
