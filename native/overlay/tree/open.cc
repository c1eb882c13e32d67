// Opens a stack and refuses what cannot work, with one line for a person.
#include <linux/capability.h>
#include <sys/resource.h>
#include <unistd.h>

#include <span>

#include "overlay/layers/xxh64.h"
#include "overlay/owners/mapped_file_system.h"
#include "overlay/owners/owner_layer.h"
#include "overlay/tree/open_writable.h"
#include "overlay/tree/overlay.h"
#include "sys/mounts.h"
#include "sys/process.h"

namespace lamina::overlay {

using sys::Errno;

namespace {

// Descriptors kept open at most, all caches together: a quarter of what the process may have.
std::size_t cache_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return 1024;
  return std::min<std::size_t>(1024, limit.rlim_cur / 4);
}

Result<std::unique_ptr<Layer>> open_lower(const Options& options, std::size_t number, std::uint32_t position,
                                          std::string& explanation) {
  LAMINA_ASSIGN(auto layer, Layer::open(options.lowers[number], position, options.user_xattr, explanation));
  if (options.owners.uids.empty() && options.owners.gids.empty()) return layer;
  const auto idmapped = sys::is_idmapped(options.lowers[number].tree);
  if (!idmapped) return refuse_call(explanation, "the mount of lower " + options.lowers[number].tree, idmapped.error());
  return *idmapped ? with_owners_taken_back(std::move(layer), options.owners) : std::move(layer);
}

// The root of an upper whose foreign marks do not count may have any attribute.
Result<StoredOwners> settled_owners(const Options& options, int upper, std::string& explanation) {
  if (options.stored_owners == StoredOwners::in_inode && !options.whiteout_files) return StoredOwners::in_inode;
  return UpperOwners::settle(upper, options.stored_owners, explanation);
}

bool overlooks_modes() {
  const auto capable = sys::has_capability_here(::getpid(), CAP_DAC_OVERRIDE);
  return capable.ok() ? *capable : ::geteuid() == 0;  // without /proc
}

}  // namespace

Overlay::Overlay(const Options& options, std::vector<std::unique_ptr<Layer>> layers, OverlayDirectories directories,
                 std::unique_ptr<NodeStore> nodes)
    : options_(options),
      marks_(options.user_xattr, options.whiteout_files ? ForeignMarks::obeyed : ForeignMarks::ignored),
      lowers_(std::move(layers)),
      upper_files_(options, !overlooks_modes()),
      work_(upper_files_, std::move(directories.work), std::move(directories.lock)),
      table_(std::move(nodes)),
      places_(directories.upper.valid() ? std::make_shared<const RealFile>(directories.upper.release()) : nullptr,
              cache_limit()),
      escaped_(marks_, upper_files_, places_.upper() ? places_.upper()->descriptor() : -1),
      open_files_(cache_limit()),
      numbers_(options, marks_, lowers_, upper_files_),
      listings_(options, lowers_, numbers_, upper_files_, escaped_, places_, table_),
      names_(options, marks_, lowers_, upper_files_, escaped_, places_, listings_, table_),
      keys_(lowers_),
      restored_(lowers_, keys_, names_),
      resolver_(lowers_, numbers_, keys_, places_, names_, restored_, table_),
      group_places_(lowers_, marks_, places_.upper() && !options.user_xattr ? places_.upper()->descriptor() : -1),
      groups_(lowers_, names_, resolver_, table_, group_places_),
      copies_(marks_, lowers_, numbers_, upper_files_, escaped_, work_),
      metacopies_(options, marks_, lowers_, upper_files_, places_, copies_, open_files_),
      publisher_(upper_files_, work_, places_, table_, open_files_, linked_names_),
      copier_(options, lowers_, upper_files_, work_, places_, table_, groups_, copies_, metacopies_, publisher_),
      directory_copier_(marks_, lowers_, upper_files_, places_, listings_, names_, resolver_, table_, groups_, copier_),
      interrupted_groups_(lowers_, numbers_, upper_files_, places_, names_, table_, groups_, group_places_),
      attributes_(options, tree_, lowers_, upper_files_, places_, resolver_, table_, groups_),
      contents_(tree_, lowers_, upper_files_, std::move(directories.quiet), places_, resolver_, copier_, open_files_),
      attribute_changes_(tree_, upper_files_, places_, resolver_, copier_, contents_, attributes_),
      backing_(options_, tree_, lowers_, work_, places_, table_, open_files_),
      flags_(tree_, lowers_, upper_files_, places_, resolver_, copies_, copier_),
      xattrs_(options, marks_, tree_, lowers_, upper_files_, places_, resolver_, copier_),
      maker_(marks_, upper_files_, escaped_, work_),
      writable_directories_(options, places_, resolver_, copier_, maker_),
      creator_(tree_, work_, places_, names_, resolver_, table_, open_files_, attributes_, maker_,
               writable_directories_),
      redirects_(marks_, upper_files_, places_, copier_),
      linker_(tree_, places_, names_, resolver_, table_, copier_, attributes_, maker_, writable_directories_,
              redirects_),
      removed_(lowers_, keys_, places_, restored_, table_, groups_, open_files_),
      remover_(tree_, keys_, upper_files_, work_, places_, listings_, names_, resolver_, table_, writable_directories_,
               removed_),
      rename_sides_(places_, names_, resolver_, table_, writable_directories_),
      rename_preparation_(options, marks_, numbers_, upper_files_, places_, copier_, directory_copier_, redirects_),
      renamer_(options, tree_, keys_, upper_files_, work_, listings_, names_, table_, groups_, group_places_, removed_,
               rename_sides_, rename_preparation_),
      name_tests_(tree_, places_, listings_, names_, resolver_, table_, groups_, linked_names_),
      revival_(lowers_, work_, names_, resolver_, table_, groups_),
      entry_lookup_(tree_, names_, resolver_, table_, attributes_, revival_) {}

Status Overlay::start() {
  auto root = std::make_shared<Inode>();
  root->type = S_IFDIR;
  root->has_upper = places_.upper() != nullptr;
  root->ino = 1;
  for (std::size_t i = 0; i < lowers_.size(); ++i) {
    root->lowers.push_back({i, lowers_[i].root()});
    LAMINA_ASSIGN(const LowerEntry entry, lowers_[i].get(lowers_[i].root()));
    if (entry.marks.opaque) break;
  }
  InodeKey key{1, 0};
  LAMINA_TRY(escaped_.start());
  if (places_.upper()) {
    LAMINA_ASSIGN(const sys::FileStatus status, sys::status_of(places_.upper()->descriptor()));
    LAMINA_ASSIGN(const Marks marks, names_.upper_marks(status, places_.upper()->descriptor(), ""));
    if (marks.opaque) root->lowers.clear();
    key = {0, status.ino};
    numbers_.set_upper(status.ino);
  }
  root_ = table_.intern(key, "", [&] { return root; });
  return {};
}

Result<std::unique_ptr<FileSystem>> FileSystem::open(const Options& options, std::string& explanation) {
  const MarkNames marks(options.user_xattr);
  if (options.lowers.empty())
    return refuse(explanation, "no lower was given; name one at least with lowerdir=", EINVAL);
  std::vector<std::unique_ptr<Layer>> layers;
  for (std::size_t i = 0; i < options.lowers.size(); ++i) {
    const auto position = static_cast<std::uint32_t>(options.lowers.size() - i);
    LAMINA_ASSIGN(auto layer, open_lower(options, i, position, explanation));
    layers.push_back(std::move(layer));
  }
  Options settled = options;
  OverlayDirectories writable;
  if (!options.upper.empty()) {
    LAMINA_ASSIGN(writable, open_writable(options, marks, explanation));
    LAMINA_ASSIGN(settled.stored_owners, settled_owners(options, writable.upper.get(), explanation));
  }
  auto nodes = NodeStore::make();
  if (!nodes) return refuse_call(explanation, "memory for inodes", nodes.error());
  auto overlay = std::make_unique<Overlay>(settled, std::move(layers), std::move(writable), std::move(*nodes));
  const Status started = overlay->start();
  if (!started) return refuse_call(explanation, "the root of the stack", started.error());
  std::unique_ptr<FileSystem> opened = std::move(overlay);
  return options.owners.any() ? with_owners(std::move(opened), options.owners) : std::move(opened);
}

}  // namespace lamina::overlay
