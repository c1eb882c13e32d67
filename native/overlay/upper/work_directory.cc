#include "overlay/upper/work_directory.h"

#include <fcntl.h>

#include <vector>

#include "sys/directory.h"
#include "sys/open.h"

namespace lamina::overlay {

Status WorkDirectory::replace(std::string_view name, const UpperPlace& target, Replacing what) {
  if (what == Replacing::file) return files_.rename(place(name), target);
  LAMINA_TRY(files_.rename(place(name), target, RENAME_EXCHANGE));
  return discard(name);
}

Status WorkDirectory::remove(const UpperPlace& entry, bool leave_whiteout) {
  const std::string name = new_name();
  LAMINA_TRY(files_.rename(entry, place(name), leave_whiteout ? RENAME_WHITEOUT : RENAME_NOREPLACE));
  return discard(name);
}

Status WorkDirectory::clear() {
  LAMINA_ASSIGN(const sys::FileDescriptor opened, sys::reopen(descriptor(), O_RDONLY | O_DIRECTORY));
  LAMINA_ASSIGN(const std::vector<std::string> names, sys::names_in(opened.get()));
  for (const std::string& name : names) LAMINA_TRY(discard(name));
  return {};
}

}  // namespace lamina::overlay
