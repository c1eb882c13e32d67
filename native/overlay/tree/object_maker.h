// Makes new objects and names in the upper: at once where nothing is, else in the work directory, so that a whiteout is
// replaced by the whole of them in one step.
#pragma once

#include <cstdint>
#include <string_view>

#include "overlay/layers/marks.h"
#include "overlay/tree/inheritance.h"
#include "overlay/upper/upper_files.h"
#include "overlay/upper/work_directory.h"

namespace lamina::overlay {

// The object to make under a new name.
struct Creation {
  std::uint32_t mode = 0;  // type and permission bits
  std::uint32_t rdev_major = 0, rdev_minor = 0;
  std::string_view target;  // of a symlink
};

class ObjectMaker {
 public:
  ObjectMaker(const MarkNames& marks, UpperFiles& files, WorkDirectory& work)
      : marks_(marks), files_(files), work_(work) {}

  // Makes it with the mode `mode` and no other attributes.
  Status make(int directory, std::string_view name, const Creation& creation, std::uint32_t mode);
  // Makes it with all attributes.
  Status make_in_work(int directory, std::string_view name, const Creation& creation, const NewAttributes& attributes,
                      bool over_whiteout);
  // Gives the file at `from` another name.
  Status link(const Location& from, int directory, std::string_view name, bool over_whiteout);
  // Replaces a file that hides the name in the upper by a whiteout of the kernel's form.
  Status replace_whiteout_file(int directory, std::string_view name);

 private:
  const MarkNames& marks_;
  UpperFiles& files_;
  WorkDirectory& work_;
};

}  // namespace lamina::overlay
