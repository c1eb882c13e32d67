// Converts the result of statx(2) to an operation's answer.
#pragma once

#include "overlay/types.h"
#include "sys/status.h"

namespace lamina::overlay {

inline Timestamp to_timestamp(sys::FileTime time) { return {time.seconds, time.nanoseconds}; }
inline sys::FileTime to_file_time(Timestamp time) { return {time.seconds, time.nanoseconds}; }

// `ino` stays 0: the caller sets a number that is unique in the mount.
Attributes to_attributes(const sys::FileStatus& status);

// What users see of a file that stands for a character device 0:0 (Marks::escaped_whiteout).
void show_as_device(Attributes& attributes);
[[nodiscard]] sys::FileStatus as_device(sys::FileStatus status);

}  // namespace lamina::overlay
