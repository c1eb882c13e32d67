// The files of the upper as the driver opens and changes them: what a mode of our own files may deny a driver without
// root is done with the owner's access.
#pragma once

#include <initializer_list>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <string_view>

#include "overlay/file_system.h"
#include "overlay/types.h"
#include "overlay/upper/owner_access.h"
#include "overlay/upper/upper_owners.h"
#include "sys/file_descriptor.h"
#include "sys/result.h"

namespace lamina::overlay {

// A name in an upper directory, or, with name "", the descriptor itself.
struct Location {
  RealFileRef directory;
  std::string name;
  [[nodiscard]] int descriptor() const { return directory->descriptor(); }
};

class UpperFiles {
 public:
  // `unprivileged`: modes of our own files may deny us access.
  UpperFiles(const Options& options, bool unprivileged)
      : owners_(options.stored_owners, options.owners.squashes()),
        access_times_(options.access_times),
        directory_access_times_(options.directory_access_times),
        unprivileged_(unprivileged) {}

  // Owners and modes of its files; not of links to them.
  [[nodiscard]] const UpperOwners& owners() const { return owners_; }
  [[nodiscard]] bool unprivileged() const { return unprivileged_; }
  // While it is held no mode differs from what users should see.
  [[nodiscard]] std::shared_lock<std::shared_mutex> steady_modes() {
    return unprivileged_ ? std::shared_lock(modes_) : std::shared_lock<std::shared_mutex>();
  }
  // Runs an operation on those places.
  template <typename Operation>
  auto with_access(std::initializer_list<UpperPlace> places, Operation operation) -> decltype(operation()) {
    return unprivileged_ ? as_owner(modes_, places, operation) : operation();
  }
  // Runs an operation that changes names in a directory.
  template <typename Operation>
  Status change_names(int directory, Operation operation) {
    return with_access({{directory, {}}}, operation);
  }

  Result<sys::FileDescriptor> open(const Location& at, int flags);
  // A new regular file, open for reading and writing.
  Result<sys::FileDescriptor> create(const UpperPlace& place, std::uint32_t mode);
  Status rename(const UpperPlace& from, const UpperPlace& to, unsigned flags = 0);
  // Gives the file at `from`, or of the descriptor itself, another name.
  Status link(const UpperPlace& from, const UpperPlace& to);
  // The same, where the merged directory had the name already: its times stay.
  Status link_unseen(const UpperPlace& from, const UpperPlace& to);
  Status unlink(const UpperPlace& place);
  // Removes a name and all below it.
  Status remove_tree(const UpperPlace& place);
  Status make_whiteout(const UpperPlace& place);
  // The whiteouts of a directory that is opaque now. They hide nothing, and the kernel lists them: it treats an opaque
  // directory as one without whiteouts (fs/overlayfs/readdir.c, ovl_dir_is_real).
  static Status drop_whiteouts(int directory);
  Status set_mark(const UpperPlace& place, std::string_view mark, std::string_view value);

 private:
  const UpperOwners owners_;
  const bool access_times_, directory_access_times_;  // whether reading may change them
  const bool unprivileged_;
  std::shared_mutex modes_;  // shared by all code that shows or changes modes (OwnerAccess)
};

}  // namespace lamina::overlay
