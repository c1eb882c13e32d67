// Whiteouts as files, the form of aufs and of image layers: `.wh.NAME` hides NAME, and `.wh..wh..opq` makes its
// directory opaque. containers-storage leaves them in its layers where a mount program mounts them. Read as
// fuse-overlayfs reads them; what we write has the kernel's form.
#pragma once

#include <string>
#include <string_view>

#include "sys/result.h"

namespace lamina::overlay {

inline constexpr std::string_view whiteout_file_prefix = ".wh.";

// Such a name is a mark, whatever it is: it is never visible.
[[nodiscard]] inline bool is_whiteout_file(std::string_view name) { return name.starts_with(whiteout_file_prefix); }
// The name that hides `name` in its directory.
[[nodiscard]] std::string whiteout_file_of(std::string_view name);
// Whether a directory holds the file that hides `name` there: in its own layer, too.
sys::Result<bool> has_whiteout_file(int directory, std::string_view name);
// Whether the child `name` of `directory` holds the file that makes it opaque; "" is the directory itself.
sys::Result<bool> has_opaque_file(int directory, std::string_view name);

}  // namespace lamina::overlay
