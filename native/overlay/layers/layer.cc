#include "overlay/layers/layer.h"

#include <fcntl.h>

#include <cstring>

#include "overlay/layers/directory_layer.h"
#include "overlay/layers/index_file.h"
#include "overlay/layers/indexed_layer.h"
#include "overlay/layers/layer_root.h"
#include "sys/open.h"
#include "sys/status.h"

namespace lamina::overlay {

Result<LayerRoot> LayerRoot::open(const std::string& tree, std::string& explanation) {
  const auto refuse = [&](sys::Errno error) {
    explanation = "lower " + tree + ": " + std::strerror(error.value);
    return error;
  };
  auto descriptor = sys::clone_tree(tree, sys::TreeAccess::read_only);
  const bool cloned = descriptor.ok();
  // EPERM: no CAP_SYS_ADMIN; ENOSYS: a kernel before 5.12.
  if (descriptor.failed_with(EPERM) || descriptor.failed_with(ENOSYS)) {
    descriptor = sys::open_path(tree, O_PATH | O_DIRECTORY);
  }
  if (!descriptor.ok()) return refuse(descriptor.error());
  const auto status = sys::status_of(descriptor->get());
  if (!status.ok()) return refuse(status.error());
  if (!status->is_directory()) return refuse(sys::Errno{ENOTDIR});
  return LayerRoot(std::move(*descriptor), cloned);
}

Result<sys::FileDescriptor> LayerRoot::open(std::string_view path, int flags) const {
  const int wanted = flags | O_NOFOLLOW;
  return cloned_ ? sys::open_beneath(descriptor(), path, wanted)
                 : sys::open_beneath_noatime(descriptor(), path, wanted);
}

Result<sys::FileDescriptor> LayerRoot::open_child(int directory, std::string_view name, int flags) const {
  return cloned_ ? sys::open_child(directory, name, flags) : sys::open_child_noatime(directory, name, flags);
}

Result<std::unique_ptr<Layer>> Layer::open(const LowerOptions& options, std::uint32_t position, bool user_xattr,
                                           std::string& explanation) {
  LAMINA_ASSIGN(LayerRoot root, LayerRoot::open(options.tree, explanation));
  if (options.index.empty()) {
    auto layer = DirectoryLayer::open(std::move(root), position, user_xattr, options.whiteout_files);
    if (layer.ok()) return std::unique_ptr<Layer>(std::move(*layer));
    explanation = "lower " + options.tree + ": " + std::strerror(layer.error().value);
    return layer.error();
  }
  LAMINA_ASSIGN(auto index, IndexFile::open(options.index, explanation));
  return std::unique_ptr<Layer>(
      std::make_unique<IndexedLayer>(std::move(root), std::move(index), position, user_xattr));
}

}  // namespace lamina::overlay
