// Hard links of the lowers. A group may have names anywhere in the merged tree; which, an index knows.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "overlay/inodes/inode_table.h"
#include "overlay/tree/links/group_places.h"
#include "overlay/tree/lookup/lower_stack.h"
#include "overlay/tree/lookup/name_lookup.h"
#include "overlay/tree/lookup/resolver.h"

namespace lamina::overlay {

// A path of the merged tree, split; its directory's inode holds no lookup count.
struct LinkName {
  InodeRef directory;  // null: there is none
  std::string name;
};

class LinkGroups {
 public:
  LinkGroups(const LowerStack& lowers, NameLookup& names, Resolver& resolver, InodeTable& table, GroupPlaces& places)
      : lowers_(lowers), names_(names), resolver_(resolver), table_(table), places_(places) {}

  Result<LinkName> name_at(std::string_view path);
  // The visible names of a lower's hard-link group; none where it has no index or the file one name.
  Result<std::vector<LinkName>> names_of(const LowerPlace& source);
  // How many names of the merged tree show a file of a lower, of which the lower has `links`. Without an index: those.
  Result<std::uint32_t> visible_links(Inode& inode, const LowerPlace& source, std::uint32_t links);
  // Called after a name was removed or moved, whichever it was.
  void names_have_changed() { version_.fetch_add(1); }

 private:
  Result<bool> shows(Inode& directory, std::string_view name, std::size_t layer_number, std::uint64_t identity);

  const LowerStack& lowers_;
  NameLookup& names_;
  Resolver& resolver_;
  InodeTable& table_;
  GroupPlaces& places_;
  std::atomic<std::uint64_t> version_{1};  // raised by every name that is removed or moved
};

}  // namespace lamina::overlay
