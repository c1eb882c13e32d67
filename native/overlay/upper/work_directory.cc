#include "overlay/upper/work_directory.h"

#include <fcntl.h>

#include <vector>

#include "sys/directory.h"
#include "sys/open.h"

namespace lamina::overlay {

Status WorkDirectory::replace_whiteout(std::string_view name, bool is_directory, const UpperPlace& whiteout) {
  if (!is_directory) return files_.rename(place(name), whiteout);
  LAMINA_TRY(files_.rename(place(name), whiteout, RENAME_EXCHANGE));
  return discard(name);
}

Status WorkDirectory::remove(const UpperPlace& entry, bool leave_whiteout) {
  const std::string name = new_name();
  LAMINA_TRY(files_.rename(entry, place(name), leave_whiteout ? RENAME_WHITEOUT : RENAME_NOREPLACE));
  return discard(name);
}

Status WorkDirectory::clear() {
  std::vector<std::string> names;
  LAMINA_ASSIGN(const sys::FileDescriptor opened, sys::reopen(descriptor(), O_RDONLY | O_DIRECTORY));
  LAMINA_TRY(sys::read_directory(opened.get(), [&](const sys::DirectoryRecord& each) -> Status {
    names.emplace_back(each.name);
    return {};
  }));
  for (const std::string& name : names) LAMINA_TRY(discard(name));
  return {};
}

}  // namespace lamina::overlay
