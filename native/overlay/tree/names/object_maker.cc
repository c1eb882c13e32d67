#include "overlay/tree/names/object_maker.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <memory>

#include "overlay/layers/whiteout_files.h"
#include "overlay/upper/acl.h"
#include "sys/names.h"
#include "sys/xattrs.h"

namespace lamina::overlay {

Status ObjectMaker::replace_whiteout_file(int directory, std::string_view name) {
  const Status placed = work_.build([&](std::string_view temporary) -> Status {
    LAMINA_TRY(sys::make_node(work_.descriptor(), temporary, S_IFCHR, 0, 0));
    // Whatever is below the name is hidden too.
    const Status replaced = work_.replace(temporary, {directory, name}, Replacing::file);
    return replaced.failed_with(EISDIR) ? work_.replace(temporary, {directory, name}, Replacing::anything) : replaced;
  });
  LAMINA_TRY(placed);
  return files_.remove_tree({directory, whiteout_file_of(name)});
}

Result<RealFileRef> ObjectMaker::make_open(int directory, std::string_view name, std::uint32_t mode) {
  LAMINA_ASSIGN(sys::FileDescriptor made, files_.create({directory, name}, mode & 07777U));
  return RealFileRef(std::make_shared<const RealFile>(made.release()));
}

Status ObjectMaker::make(int directory, std::string_view name, const Creation& creation, std::uint32_t mode) {
  return files_.change_names(directory, [&] {
    switch (creation.mode & S_IFMT) {
      case S_IFDIR:
        return sys::make_directory(directory, name, mode & 07777U);
      case S_IFLNK:
        return sys::make_symlink(directory, name, creation.target);
      default:
        return sys::make_node(directory, name, mode, creation.rdev_major, creation.rdev_minor);
    }
  });
}

Status ObjectMaker::make_in_work(int directory, std::string_view name, const Creation& creation,
                                 const NewAttributes& attributes, bool over_whiteout) {
  const std::uint32_t mode = attributes.inherited.mode;
  const bool is_directory = (mode & S_IFMT) == S_IFDIR;
  const int work = work_.descriptor();
  return work_.build([&](std::string_view temporary) -> Status {
    LAMINA_TRY(creation.is_whiteout() ? make_device(temporary, mode) : make(work, temporary, creation, mode));
    LAMINA_TRY(files_.owners().set_owner(work_.place(temporary), attributes.uid, attributes.gid));
    if ((mode & S_IFMT) != S_IFLNK) {
      const auto lists = {std::pair(access_acl_name, &attributes.inherited.access),
                          std::pair(default_acl_name, &attributes.inherited.default_list)};
      for (const auto& [list, value] : lists) {
        if (*value) LAMINA_TRY(sys::set_xattr(work, temporary, list, **value));
      }
      // One that stands for a device stays readable to its owner, see EscapedWhiteouts::make().
      if (!creation.is_whiteout()) LAMINA_TRY(files_.owners().set_mode(work_.place(temporary), mode));
    }
    if (!over_whiteout) return files_.rename(work_.place(temporary), {directory, name}, RENAME_NOREPLACE);
    if (is_directory) LAMINA_TRY(files_.set_mark(work_.place(temporary), marks_.opaque, opaque_value));
    return work_.replace(temporary, {directory, name}, is_directory ? Replacing::anything : Replacing::file);
  });
}

Status ObjectMaker::link(const Location& from, int directory, std::string_view name, bool over_whiteout) {
  const UpperPlace source{from.descriptor(), from.name}, target{directory, name};
  if (!over_whiteout) return files_.link(source, target);
  return work_.build([&](std::string_view temporary) -> Status {
    LAMINA_TRY(files_.link(source, work_.place(temporary)));
    return work_.replace(temporary, target, Replacing::file);
  });
}

}  // namespace lamina::overlay
