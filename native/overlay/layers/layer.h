// One lower layer, read-only and immutable: its entries, answered from its index or from its directory.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "overlay/layers/protection.h"
#include "overlay/types.h"
#include "sys/file_descriptor.h"
#include "sys/result.h"

namespace lamina::overlay {

using sys::Result;
using sys::Status;

// A path of a layer that has no index: a name and its parent, shared by all layers of a stack in which the path is the
// same.
struct PathNode {
  std::shared_ptr<const PathNode> parent;  // null: this is the layer's root, and name is empty
  std::string name;
};

// An entry of one lower layer. Immutable, because the layer is.
struct LowerRef {
  std::shared_ptr<const PathNode> path;  // set only where the layer has no index
  std::uint32_t entry = 0;               // its number in the index; 0 is the root
};

// The overlay marks of an entry.
struct Marks {
  bool whiteout = false;  // character device 0:0 (or the xattr form of a zero-size file, trusted.overlay.whiteout)
  bool opaque = false;    // a directory: trusted.overlay.opaque = "y"
  bool metacopy = false;  // attributes only; the data is in a lower layer
  // An empty file that stands for a character device 0:0 of users: a whiteout of an overlay inside this one.
  bool escaped_whiteout = false;
  bool none = false;      // known to have no attribute of ours at all, InodeNumbers' included
  Protection protection;  // trusted.overlay.protattr of a file of the upper; of a lower's file the real one's flags
  std::string
      redirect;  // trusted.overlay.redirect: "/a/b" from the root of the layers below, or "b" in the same directory
};

// A directory's path from the layer's root, and the value of its mark.
struct RedirectMark {
  std::string path, value;
};

struct LowerEntry {
  LowerRef reference;
  Attributes attributes;  // ino already unique in the mount
  Marks marks;
};

class Layer {
 public:
  virtual ~Layer() = default;
  // `position` counts from the bottom of the stack, the lowest lower being 1, so that st_ino stays the same when layers
  // are added above.
  static Result<std::unique_ptr<Layer>> open(const LowerOptions& options, std::uint32_t position, bool user_xattr,
                                             std::string& explanation);

  [[nodiscard]] virtual LowerRef root() const = 0;
  // Whiteouts are found, with marks.whiteout set. ENOENT: the layer has no entry of that name.
  virtual Result<LowerEntry> lookup(const LowerRef& directory, std::string_view name) const = 0;
  // The same of a name that list() gave, and not as a whiteout.
  virtual Result<LowerEntry> lookup_listed(const LowerRef& directory, std::string_view name) const = 0;
  virtual Result<LowerEntry> get(const LowerRef& reference) const = 0;
  // The same without its marks, which may cost another call.
  virtual Result<Attributes> attributes(const LowerRef& reference) const = 0;
  // All children, whiteouts included (type character device), in listing_order. Cookies are name_cookie(): names that
  // collide share one here, and get distinct ones once the layers are merged.
  struct Child {
    DirectoryEntry entry;
    bool whiteout = false;
  };
  virtual Result<std::vector<Child>> list(const LowerRef& directory) const = 0;
  virtual Result<std::string> read_link(const LowerRef& reference) const = 0;
  virtual Result<std::vector<std::byte>> xattr(const LowerRef& reference,
                                               std::string_view name) const = 0;  // raw names
  virtual Result<std::string> xattr_names(const LowerRef& reference) const = 0;   // raw names
  // For data: opened relative to the layer's private read-only noatime mount clone.
  virtual Result<sys::FileDescriptor> open(const LowerRef& reference, int flags) const = 0;
  // All names of the entry's hard-link group in this layer (paths from its root), itself included. Empty where the
  // layer has no index.
  virtual Result<std::vector<std::string>> link_group(const LowerRef& reference) const = 0;
  // The paths below a directory, relative to it, of all names that belong to hard-link groups. Empty where there is no
  // index.
  virtual Result<std::vector<std::string>> links_below(const LowerRef& directory) const = 0;
  // All directories of the layer that have a redirect. Without an index each directory is read.
  virtual Result<std::vector<RedirectMark>> redirects() const = 0;
  // The same for two names of one group, and only for those: identifies the file in the layer. Without an index its
  // Attributes::ino.
  [[nodiscard]] virtual Result<std::uint64_t> identity(const LowerRef& reference) const = 0;
  // From the layer's root, without a leading slash. EIO where the index is damaged.
  virtual Result<std::string> path(const LowerRef& reference) const = 0;
  [[nodiscard]] virtual bool indexed() const = 0;
  // Identifies a layer by its whole content; 0 where there is no index.
  [[nodiscard]] virtual std::uint64_t fingerprint() const = 0;
};

// The cookie of a name: its xxh64 (seed 0) shifted right by one, raised above the offsets of "." and "..".
std::uint64_t name_cookie(std::string_view name);
// The same, where the hash is known.
std::uint64_t cookie_of_hash(std::uint64_t name_hash);

}  // namespace lamina::overlay
