// A lower on an idmapped mount shows its owners as the whole mount is to show them already: containers-storage makes
// such mounts and asks for a mapping as well. They are taken back, so that the overlay knows ids on disk only.
#pragma once

#include <memory>

#include "overlay/layers/layer.h"
#include "overlay/owners.h"

namespace lamina::overlay {

std::unique_ptr<Layer> with_owners_taken_back(std::unique_ptr<Layer> layer, const OwnerView& view);

}  // namespace lamina::overlay
