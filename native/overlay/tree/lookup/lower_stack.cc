// As fs/overlayfs/namei.c does.
#include "overlay/tree/lookup/lower_stack.h"

#include <sys/stat.h>

#include <span>

#include "overlay/layers/xxh64.h"

namespace lamina::overlay {

namespace {

// Which lowers there are, and in which order. Those without an index cannot be distinguished, and on top they do not
// count: they leave the numbers of the others as they are.
std::uint64_t fingerprint_of(const std::vector<std::unique_ptr<Layer>>& layers) {
  std::vector<std::uint64_t> each;
  for (const auto& layer : layers) {
    if (!each.empty() || layer->indexed()) each.push_back(layer->fingerprint());
  }
  return xxh64(std::as_bytes(std::span(each)));
}

// Adds an entry of a lower to what was found so far. False: the layers further down do not matter.
bool take_lower(std::size_t layer, const LowerEntry& entry, Found& found, bool& has_data) {
  if (entry.marks.whiteout) return false;
  const bool directory = (entry.attributes.mode & S_IFMT) == S_IFDIR;
  const bool seen = found.visible();
  if (seen && found.type() == S_IFDIR) {
    if (!directory) return false;
  } else if (seen && directory) {
    return false;  // below a metacopy: no data there
  }
  if (!seen) found.what = FoundInLower{entry.attributes, entry.marks.protection};
  if (directory) {
    found.lowers.push_back({layer, entry.reference});
    return !entry.marks.opaque;
  }
  if (!seen || found.lowers.empty()) {
    found.lowers.assign(1, {layer, entry.reference});
  } else if (!entry.marks.metacopy) {
    // The first place keeps the attributes; the data's place comes after it.
    found.lowers.push_back({layer, entry.reference});
  }
  has_data = !entry.marks.metacopy;
  return entry.marks.metacopy;
}

// Where an absolute redirect leads, from layer to layer.
struct RedirectWalk {
  std::string path;   // from the root of the next layer
  bool stop = false;  // the layers below do not count
};

// Walks an absolute redirect's path through one layer, component by component, as ovl_lookup_layer() of
// fs/overlayfs/namei.c does: the marks of directories on the way count too. Returns the entry at its end, if there is
// one.
Result<std::optional<LowerEntry>> walk_redirect(const Layer& layer, RedirectWalk& walk) {
  LowerRef at = layer.root();
  std::string rest = walk.path;
  for (;;) {
    const std::size_t slash = rest.find('/');
    const std::size_t start = walk.path.size() - rest.size();
    auto entry = layer.lookup(at, rest.substr(0, slash));
    if (is_absent(entry)) return std::optional<LowerEntry>();
    if (!entry) return entry.error();
    const bool last = slash == std::string::npos;
    const bool directory = (entry->attributes.mode & S_IFMT) == S_IFDIR;
    if (entry->marks.whiteout || (!last && !directory)) {
      walk.stop = true;
      return std::optional<LowerEntry>();
    }
    rest.erase(0, last ? rest.size() : slash);
    const std::string& redirect = entry->marks.redirect;
    if (directory && entry->marks.opaque) {
      walk.stop = true;
    } else if (!redirect.empty() && redirect.front() == '/') {
      // It continues below an opaque directory on the way.
      walk.stop = false;
      walk.path = redirect.substr(1) + rest;
    } else if (!redirect.empty()) {
      walk.path = walk.path.substr(0, start) + redirect + rest;
    }
    if (last) return std::optional<LowerEntry>(std::move(*entry));
    rest.erase(0, 1);
    at = std::move(entry->reference);
  }
}

}  // namespace

LowerStack::LowerStack(std::vector<std::unique_ptr<Layer>> layers)
    : layers_(std::move(layers)), fingerprint_(fingerprint_of(layers_)) {}

// From `layer` downwards, by a path from each layer's root, as for an absolute redirect.
Result<bool> LowerStack::find_from(std::size_t layer, std::string_view path, Found& found, bool has_data) const {
  RedirectWalk walk{std::string(path)};
  for (std::size_t i = layer; i < layers_.size() && !walk.stop; ++i) {
    LAMINA_ASSIGN(std::optional<LowerEntry> entry, walk_redirect(*layers_[i], walk));
    if (!entry) continue;
    if (!take_lower(i, *entry, found, has_data)) break;
  }
  return has_data;
}

Result<bool> LowerStack::find(const std::vector<LowerPlace>& parents, std::string_view name, Found& found,
                              std::string redirect, bool listed) const {
  bool has_data = !found.has(FoundInUpper::Form::metacopy);
  std::string at(name);
  if (!redirect.empty()) {
    if (redirect.front() == '/') return find_from(0, std::string_view(redirect).substr(1), found, has_data);
    at = redirect;
  }
  for (const LowerPlace& parent : parents) {
    const Layer& source = of(parent);
    (source.indexed() ? index_lookups_ : directory_lookups_).fetch_add(1, std::memory_order_relaxed);
    auto entry = listed ? source.lookup_listed(parent.reference, at) : source.lookup(parent.reference, at);
    listed = false;
    if (is_absent(entry)) continue;
    if (!entry) return entry.error();
    if (!take_lower(parent.layer, *entry, found, has_data)) break;
    const std::string& next = entry->marks.redirect;
    if (next.empty()) continue;
    if (next.front() == '/') return find_from(parent.layer + 1, std::string_view(next).substr(1), found, has_data);
    at = next;
  }
  return has_data;
}

Result<RealFileRef> LowerStack::open(const LowerPlace& place, int flags) const {
  LAMINA_ASSIGN(sys::FileDescriptor opened, of(place).open(place.reference, flags));
  return RealFileRef(std::make_shared<const RealFile>(opened.release()));
}

}  // namespace lamina::overlay
