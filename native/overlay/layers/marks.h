// Overlay marks: the xattrs and files by which overlayfs records what a layer hides, and how they are hidden from
// users. Rules: Documentation/filesystems/overlayfs.rst ("whiteouts and opaque directories", "redirect_dir", "Metadata
// only copy up", "Nesting overlayfs mounts").
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "overlay/layers/layer.h"
#include "sys/status.h"

namespace lamina::overlay {

// Whether what other drivers than the kernel's leave in a layer counts: fuse-overlayfs takes user.fuseoverlayfs.opaque
// and user.overlay.opaque for marks as well, and keeps notes of its own in user.fuseoverlayfs.* (and stored_owner.h).
enum class ForeignMarks { ignored, obeyed };

// The names of the marks of one mount: trusted.overlay.* or, with userxattr, user.overlay.*.
class MarkNames {
 public:
  explicit MarkNames(bool user_xattr, ForeignMarks foreign = ForeignMarks::ignored);

  // Each with its prefix, as for setxattr(2).
  std::string opaque, redirect, metacopy, origin, impure, nlink, whiteout, protattr;
  // trusted.overlay.overlay.whiteout, see escaped_whiteouts.h
  std::string escaped_whiteout;
  // trusted.overlay.lamina.ino, .capability, .mount, .whiteouts: see docs/format.md
  std::string lamina_ino, lamina_capability, lamina_mount, lamina_whiteouts;

  // The names that make a directory opaque: `opaque` first.
  [[nodiscard]] const std::vector<std::string>& all_opaque() const { return all_opaque_; }
  // An attribute of that name may be a mark.
  [[nodiscard]] bool may_be_mark(std::string_view attribute) const;
  // A note of fuse-overlayfs or containers-storage. There is no escaped form: to users it does not exist, and they
  // cannot set it (EPERM).
  [[nodiscard]] bool is_reserved(std::string_view attribute) const;
  // One of our marks, or of those that count here: users can neither see nor set it.
  [[nodiscard]] bool is_private(std::string_view attribute) const;
  // An escaped attribute, "trusted.overlay.overlay.X", by which a mark of a nested overlay is kept on disk.
  [[nodiscard]] bool is_escaped(std::string_view attribute) const;
  // The name on disk of the attribute that users see as `attribute`: escaped where the user's name is a mark, else the
  // same.
  [[nodiscard]] std::string to_disk(std::string_view attribute) const;
  // The name that users see for a name on disk: none for a mark of ours, the unescaped name of an escaped one, else the
  // same.
  [[nodiscard]] std::optional<std::string> to_user(std::string_view attribute) const;

 private:
  // The length of the prefix of marks that it begins with; 0: none.
  [[nodiscard]] std::size_t prefix_of(std::string_view attribute) const;

  std::vector<std::string> prefixes_;  // "trusted.overlay.", "user.overlay."
  std::vector<std::string> all_opaque_;
  bool foreign_;
};

// A value of trusted.overlay.redirect is usable: "/a/b" or "b", without empty, "." or ".." components. Others are EIO.
[[nodiscard]] bool valid_redirect(std::string_view redirect);

// Reads the value of an attribute; ENODATA where there is none.
using AttributeReader = std::function<Result<std::vector<std::byte>>(std::string_view attribute)>;
// The marks of a file with `status`. EIO for an invalid mark. The xattr form of a whiteout counts only in a directory
// that holds_xattr_whiteouts(): the caller checks that if `whiteout` is set for a regular file.
Result<Marks> read_marks(const MarkNames& names, const sys::FileStatus& status, const AttributeReader& read);
// The same for the child `name` of `directory`, or the descriptor itself (O_PATH too) where `name` is "", by xattr
// calls.
Result<Marks> read_marks_at(const MarkNames& names, const sys::FileStatus& status, int directory,
                            std::string_view name);
// True if the attributes from `read` mark a directory whose whiteouts may have the xattr form (opaque = "x").
Result<bool> holds_xattr_whiteouts(const MarkNames& names, const AttributeReader& read);

// Whether a tree, by the attributes of its root at `descriptor`, has ever held escaped whiteouts.
Result<bool> may_hold_escaped_whiteouts(const MarkNames& names, int descriptor);

// The value of trusted.overlay.lamina.ino of a copied-up object: the st_ino that it had in its lower, the stack of
// lowers in which nothing else has that number, and the own numbers in the upper's file system of the entry and of the
// upper itself. A copy that is made within the upper has the attribute too, but another number of its own; where the
// whole upper is copied, all have others.
struct LowerNumber {
  std::uint64_t ino = 0;
  std::uint64_t stack = 0;
  std::uint64_t own = 0;  // 0: the older form, without it
  std::uint64_t upper = 0;

  [[nodiscard]] bool is_of_a_copy(std::uint64_t its_own, std::uint64_t its_upper) const {
    return own != 0 && own != its_own && upper == its_upper;
  }
};
inline constexpr std::size_t lower_number_size = 32;
inline constexpr std::size_t older_lower_number_size = 16;
std::array<std::byte, lower_number_size> encode(const LowerNumber& number);
// None where the value is of another form.
std::optional<LowerNumber> decode_lower_number(std::span<const std::byte> value);

// Values of trusted.overlay.opaque.
inline constexpr std::string_view opaque_value = "y";
inline constexpr std::string_view xattr_whiteouts_value = "x";

}  // namespace lamina::overlay
