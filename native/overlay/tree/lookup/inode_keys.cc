#include "overlay/tree/lookup/inode_keys.h"

namespace lamina::overlay {

Result<InodeKey> InodeKeys::of(const Found& found) const {
  if (found.in_upper() != nullptr) return InodeKey{0, found.in_upper()->status.ino};
  const LowerPlace& place = found.lowers.front();
  const Layer& its = lowers_.of(place);
  if (splits_on_copy_up(its, found.in_lower()->attributes)) {
    LAMINA_ASSIGN(const std::string path, its.path(place.reference));
    return InodeKey{(place.layer + 1) | InodeKey::by_path, sip_hash(secret_, path)};
  }
  // Without an index its identity is its number, which was read already.
  if (!its.indexed()) return InodeKey{place.layer + 1, found.in_lower()->attributes.ino};
  LAMINA_ASSIGN(const std::uint64_t identity, its.identity(place.reference));
  return InodeKey{place.layer + 1, identity};
}

}  // namespace lamina::overlay
