// An overlay whose owners are shown by an OwnerView: all ids are translated where they enter and where they leave, so
// that the overlay itself knows those on disk only. Ids in access lists are mapped, but not squashed.
#pragma once

#include <memory>

#include "overlay/file_system.h"
#include "overlay/owners.h"

namespace lamina::overlay {

std::unique_ptr<FileSystem> with_owners(std::unique_ptr<FileSystem> file_system, OwnerView view);

}  // namespace lamina::overlay
