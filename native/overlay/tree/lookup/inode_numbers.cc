#include "overlay/tree/lookup/inode_numbers.h"

#include <span>

#include "sys/xattrs.h"

namespace lamina::overlay {

Result<std::optional<std::uint64_t>> InodeNumbers::marked(const Location& location, std::uint64_t own) const {
  const auto value = sys::get_xattr(location.descriptor(), location.name, marks_.lamina_ino);
  if (value.failed_with(ENODATA) || value.failed_with(EOPNOTSUPP)) return std::optional<std::uint64_t>();
  if (!value) return value.error();
  const auto number = decode_lower_number(*value);
  if (!number || number->stack != lowers_.fingerprint()) return std::optional<std::uint64_t>();
  return std::optional(number->is_of_a_copy(own, upper_) ? own : number->ino);
}

Result<std::uint64_t> InodeNumbers::of(const Location& location, std::uint64_t own) const {
  LAMINA_ASSIGN(const auto number, marked(location, own));
  return number.value_or(own);
}

// Where there is no space for the mark its older form may fit, which cannot detect copies made in the upper; if that
// does not fit either, the inode gets another number with the next mount.
Status InodeNumbers::mark(const Inode& inode, const UpperPlace& place, std::uint64_t own) {
  const auto value = encode(LowerNumber{inode.ino, lowers_.fingerprint(), own, upper_});
  for (const std::size_t size : {lower_number_size, older_lower_number_size}) {
    const auto set = [&] {
      return sys::set_xattr(place.directory, place.name, marks_.lamina_ino, std::span(value).first(size));
    };
    const Status done = files_.with_access({place}, set);
    // Without root, user.* attributes exist on files and directories only: such a file gets a new number.
    if (user_xattr_ && done.failed_with(EPERM)) return {};
    if (!done.failed_with(ENOSPC) && !done.failed_with(E2BIG)) return done;
  }
  return {};
}

}  // namespace lamina::overlay
