#include "sandbox/text-file.h"

#include <fcntl.h>
#include <unistd.h>

namespace lamina::sandbox {

std::string text_of(const std::string& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return "";
  std::string text;
  char buffer[1 << 14];
  for (ssize_t count = 0; (count = read(file, buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<std::size_t>(count));
  close(file);
  return text;
}

}  // namespace lamina::sandbox
