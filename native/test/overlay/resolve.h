// Follows a path from the root, component by component.
#pragma once

#include <string_view>

#include "overlay/layers/index_file.h"
#include "overlay/layers/layer.h"

namespace lamina::test {

// Calls `step` for every component; the first failure ends it.
template <typename Step>
sys::Status for_each_component(std::string_view path, Step step) {
  while (!path.empty()) {
    const std::string_view component = path.substr(0, path.find('/'));
    path.remove_prefix(std::min(component.size() + 1, path.size()));
    if (component.empty()) continue;
    LAMINA_TRY(step(component));
  }
  return {};
}

inline sys::Result<overlay::LowerEntry> resolve(const overlay::Layer& layer, std::string_view path) {
  LAMINA_ASSIGN(overlay::LowerEntry at, layer.get(layer.root()));
  LAMINA_TRY(for_each_component(path, [&](std::string_view name) -> sys::Status {
    LAMINA_ASSIGN(at, layer.lookup(at.reference, name));
    return {};
  }));
  return at;
}

inline sys::Result<std::uint32_t> resolve(const overlay::IndexFile& index, std::string_view path) {
  std::uint32_t at = 0;
  LAMINA_TRY(for_each_component(path, [&](std::string_view name) -> sys::Status {
    LAMINA_ASSIGN(at, index.find(at, name));
    return {};
  }));
  return at;
}

}  // namespace lamina::test
