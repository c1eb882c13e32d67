// Small files of the host.
#pragma once

#include <string>

namespace lamina::sandbox {

// The content of a file; "" where it cannot be read.
std::string text_of(const std::string& path);

}  // namespace lamina::sandbox
