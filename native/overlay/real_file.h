// An open file of a layer or of the upper.
#pragma once

#include <memory>

namespace lamina::overlay {

// Shared ownership of an open real file. The descriptor lives as long as any reference does.
class RealFile {
 public:
  explicit RealFile(int descriptor) : descriptor_(descriptor) {}
  RealFile(const RealFile&) = delete;
  RealFile& operator=(const RealFile&) = delete;
  ~RealFile();
  [[nodiscard]] int descriptor() const { return descriptor_; }

 private:
  int descriptor_;
};
using RealFileRef = std::shared_ptr<const RealFile>;

}  // namespace lamina::overlay
