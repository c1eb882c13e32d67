#include "overlay/upper/escaped_whiteouts.h"

#include <sys/stat.h>

#include "sys/names.h"

namespace lamina::overlay {

Status EscapedWhiteouts::start() {
  if (upper_ < 0) return {};
  LAMINA_ASSIGN(const bool any, may_hold_escaped_whiteouts(marks_, upper_));
  any_.store(any, std::memory_order_relaxed);
  return {};
}

Status EscapedWhiteouts::make(const UpperPlace& place, std::uint32_t mode) {
  if (!any()) {
    LAMINA_TRY(files_.set_mark({upper_, {}}, marks_.lamina_whiteouts, "y"));
    any_.store(true, std::memory_order_relaxed);
  }
  // Without privilege its owner must be able to read it: the attribute may be one of user.*.
  LAMINA_TRY(sys::make_node(place.directory, place.name, S_IFREG | 0400U | (mode & 0777U), 0, 0));
  return files_.set_mark(place, marks_.escaped_whiteout, "y");
}

Result<bool> EscapedWhiteouts::is_one(const UpperPlace& place, const sys::FileStatus& status) const {
  if (!any() || !status.is_regular() || status.size != 0) return false;
  LAMINA_ASSIGN(const Marks marks, read_marks_at(marks_, status, place.directory, place.name));
  return marks.escaped_whiteout;
}

}  // namespace lamina::overlay
