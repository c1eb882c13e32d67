// Makes new objects and names in the upper: at once where nothing is, else in the work directory, so that a whiteout is
// replaced by the whole of them in one step.
#pragma once

#include <stdio.h>
#include <sys/stat.h>

#include <cstdint>
#include <string_view>

#include "overlay/layers/marks.h"
#include "overlay/tree/files/inheritance.h"
#include "overlay/upper/escaped_whiteouts.h"
#include "overlay/upper/upper_files.h"
#include "overlay/upper/work_directory.h"

namespace lamina::overlay {

// The object to make under a new name.
struct Creation {
  std::uint32_t mode = 0;  // type and permission bits
  std::uint32_t rdev_major = 0, rdev_minor = 0;
  std::string_view target;  // of a symlink

  // A character device 0:0, which would be a whiteout of ours on disk.
  [[nodiscard]] bool is_whiteout() const { return (mode & S_IFMT) == S_IFCHR && rdev_major == 0 && rdev_minor == 0; }
};

class ObjectMaker {
 public:
  ObjectMaker(const MarkNames& marks, UpperFiles& files, EscapedWhiteouts& escaped, WorkDirectory& work)
      : marks_(marks), files_(files), escaped_(escaped), work_(work) {}

  [[nodiscard]] const UpperOwners& owners() const { return files_.owners(); }

  // Makes a regular file with the mode `mode` and no other attributes, open for reading and writing.
  Result<RealFileRef> make_open(int directory, std::string_view name, std::uint32_t mode);
  // Makes it with the mode `mode` and no other attributes.
  Status make(int directory, std::string_view name, const Creation& creation, std::uint32_t mode);
  // Makes it with all attributes.
  Status make_in_work(int directory, std::string_view name, const Creation& creation, const NewAttributes& attributes,
                      bool over_whiteout);
  // Builds a character device 0:0 of users, with the mode `mode`, under a name of work.
  Status make_device(std::string_view temporary, std::uint32_t mode) {
    return escaped_.make(work_.place(temporary), mode);
  }
  // Moves it from work to its name, where nothing is visible.
  Status place_device(std::string_view temporary, int directory, std::string_view name, bool over_whiteout) {
    if (over_whiteout) return work_.replace(temporary, {directory, name}, Replacing::file);
    return files_.rename(work_.place(temporary), {directory, name}, RENAME_NOREPLACE);
  }
  // Gives the file at `from` another name.
  Status link(const Location& from, int directory, std::string_view name, bool over_whiteout);
  // Replaces a file that hides the name in the upper by a whiteout of the kernel's form.
  Status replace_whiteout_file(int directory, std::string_view name);

 private:
  const MarkNames& marks_;
  UpperFiles& files_;
  EscapedWhiteouts& escaped_;
  WorkDirectory& work_;
};

}  // namespace lamina::overlay
