// How an upper keeps owner and mode of its files: in the inodes, or in attributes beside them (StoredOwners).
#pragma once

#include <cstdint>
#include <string>

#include "overlay/layers/stored_owner.h"
#include "overlay/types.h"
#include "sys/result.h"

namespace lamina::overlay {

// A name in an upper directory, or, with name "", the descriptor itself.
struct UpperPlace {
  int directory = -1;
  std::string_view name;
};

class UpperOwners {
 public:
  UpperOwners(StoredOwners kind, bool squashes) : kind_(kind), squashes_(squashes) {}
  // How an upper, by the attributes of its root at `descriptor` or by what is `wanted`, keeps them; what is wanted is
  // noted at the root. On failure `explanation` has one line for people.
  static sys::Result<StoredOwners> settle(int descriptor, StoredOwners wanted, std::string& explanation);

  [[nodiscard]] bool in_inodes() const { return kind_ == StoredOwners::in_inode; }
  // sys::keep_id leaves one as it is. Of what cannot store an owner, the owner stays: nobody could read it.
  [[nodiscard]] sys::Status set_owner(const UpperPlace& place, std::uint32_t uid, std::uint32_t gid) const;
  [[nodiscard]] sys::Status set_mode(const UpperPlace& place, std::uint32_t mode) const;
  // What users see of the object with `status`.
  [[nodiscard]] sys::Result<Attributes> attributes(const UpperPlace& place, const sys::FileStatus& status) const;
  [[nodiscard]] sys::Result<Attributes> attributes(const UpperPlace& place) const;

 private:
  [[nodiscard]] sys::Status store(const UpperPlace& place, const Attributes& attributes) const;

  const StoredOwners kind_;
  const bool squashes_;
};

}  // namespace lamina::overlay
