// The options of fuse-overlayfs that say whose files are whose: uidmapping, gidmapping, squash_to_root, squash_to_uid,
// squash_to_gid and xattr_permissions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "overlay/owners.h"
#include "overlay/types.h"

namespace lamina::daemon {

// "DISK:MOUNT:LENGTH", any number of times, joined by colons; empty items do not count (containers-storage begins with
// one). `error` gets what is wrong, if anything is.
std::vector<overlay::IdRange> parse_id_ranges(std::string_view text, std::string& error);

// Takes one of these options; false for any other. `error` gets one line where its value is invalid.
bool take_owner_option(const std::string& name, const std::string& value, overlay::Options& options,
                       std::string& error);

// fuse-overlayfs(1) puts commas between the ranges of a mapping, too: uidmapping=0:1000:1,1:110000:65536
class FurtherRanges {
 public:
  // Takes an option that continues the ranges of the mapping before it; false for any other option.
  bool take(const std::string& text, overlay::Options& options, std::string& error);
  // Every other option, before the next one.
  void follow(const std::string& name, const std::string& value);

 private:
  std::string mapping_, ranges_;  // of the option before; empty where that was another one
};

}  // namespace lamina::daemon
