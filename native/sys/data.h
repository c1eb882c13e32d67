// Data of open files: positioned reads and writes, copies, locks, durability. Calls interrupted by a signal are
// retried.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "sys/file_descriptor.h"
#include "sys/result.h"

namespace lamina::sys {

// pread(2): the number of bytes, 0 at the end of the file.
Result<std::size_t> read_at(int descriptor, std::span<std::byte> buffer, std::uint64_t offset);
// pwrite(2), once: the number of bytes.
Result<std::size_t> write_at(int descriptor, std::span<const std::byte> data, std::uint64_t offset);
// All of `data`, or an error.
Status write_all_at(int descriptor, std::span<const std::byte> data, std::uint64_t offset);
Status write_all(int descriptor, std::string_view data);  // at the file's own offset
// The whole file, at most `limit` bytes (EFBIG above it).
Result<std::string> read_whole(int descriptor, std::size_t limit);

Status set_size(int descriptor, std::uint64_t size);                                    // ftruncate(2)
Status allocate(int descriptor, int mode, std::uint64_t offset, std::uint64_t length);  // fallocate(2)
Result<std::uint64_t> seek(int descriptor, std::int64_t offset, int whence);  // lseek(2), SEEK_DATA, SEEK_HOLE too
Result<std::size_t> copy_range(int from, std::uint64_t from_offset, int to, std::uint64_t to_offset,
                               std::size_t length);  // copy_file_range(2), once

// posix_fadvise(2), POSIX_FADV_WILLNEED: the first `length` bytes are read into the page cache, without waiting for
// them. Only a hint.
void will_read(int descriptor, std::uint64_t length);

Status sync(int descriptor);              // fsync(2); needs a descriptor that is not O_PATH
Status sync_data(int descriptor);         // fdatasync(2)
Status sync_file_system(int descriptor);  // syncfs(2)

enum class Lock { shared, exclusive };
// flock(2) without waiting: EWOULDBLOCK where another holds it. Ends with the open file description.
Status try_lock(int descriptor, Lock kind);

// True once a copy should end.
using Interrupted = std::function<bool()>;
// FICLONE: `to` shares all blocks of `from`. EOPNOTSUPP, EXDEV, EINVAL, ENOTTY where these two files cannot.
Status clone_data(int from, int to);
// Fills the new, empty file `to` with the first `size` bytes of `from`, holes kept: cloned where the file system can,
// else copied by data segment. Checks `interrupted` between pieces of at most 8 MiB and ends with EINTR; EIO where
// `from` is shorter than `size`. Gives the bytes that were copied, 0 for a clone. Where it fails, the content of `to`
// is undefined.
Result<std::uint64_t> copy_data(int from, int to, std::uint64_t size, const Interrupted& interrupted);

}  // namespace lamina::sys
