// A file by its handle, which needs no name (name_to_handle_at(2), open_by_handle_at(2)).
#pragma once

#include <string>

#include "sys/file_descriptor.h"
#include "sys/result.h"

namespace lamina::sys {

// Of the file that `descriptor` (O_PATH too) refers to. EOPNOTSUPP where its file system has none.
Result<std::string> file_handle_of(int descriptor);
// `mount`: a descriptor on the file system, not O_PATH. ESTALE once the file is gone; EPERM without
// CAP_DAC_READ_SEARCH.
Result<FileDescriptor> open_file_handle(int mount, const std::string& handle, int flags);

}  // namespace lamina::sys
