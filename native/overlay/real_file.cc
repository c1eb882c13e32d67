#include "overlay/real_file.h"

#include <unistd.h>

namespace lamina::overlay {

RealFile::~RealFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace lamina::overlay
