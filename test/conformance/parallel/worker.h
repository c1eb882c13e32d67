// One of several processes that work in one tree at the same time.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "parallel/model.h"

namespace conformance {

// The directories in which all workers keep names; every worker's names begin with its number and a dash. In `common`
// all workers use the same names.
inline const std::vector<std::string> shared_directories = {"d0", "d1", "d2", "d3", "d4", "d5"};
inline const std::string common_directory = "common";
inline constexpr int common_names = 24;
inline constexpr int worker_count = 8;

// Makes the tree that workers start from; `part` of `parts` layers gets its share (layers of an overlay), all where
// `parts` is 1.
void make_parallel_tree(const Path& root, int part, int parts);
// What worker `number` owns of it.
Model initial_model(int number);

class Worker {
 public:
  Worker(Path root, int number, unsigned seed);

  // Does one random operation. Throws std::runtime_error where the outcome is not what the model says.
  void step();

  [[nodiscard]] const Model& model() const { return model_; }
  [[nodiscard]] std::uint64_t steps() const { return steps_; }
  // Outcomes that were looked at: a step that found nothing to do has none.
  [[nodiscard]] std::uint64_t operations() const { return operations_; }

 private:
  void create();
  void write_more();
  void rename();
  void exchange();
  void link();
  void remove();
  void make_directory();
  void remove_directory();
  void make_symlink();
  void change_mode();
  void look();
  void in_common();

  unsigned below_number(unsigned limit) { return static_cast<unsigned>(random_() % limit); }
  std::string new_path();
  // A path of the model of the given kind, or empty.
  std::string pick(bool files, bool directories, bool symlinks = false);
  [[nodiscard]] Path real(const std::string& path) const { return root_ / path; }
  void demand(bool succeeded, const std::string& what);

  Path root_;
  int number_;
  std::mt19937 random_;
  Model model_;
  std::uint64_t steps_ = 0, operations_ = 0, names_made_ = 0;
};

}  // namespace conformance
