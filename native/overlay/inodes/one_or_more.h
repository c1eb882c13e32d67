// A list that mostly has one item, as nearly every inode has of its places and keys: that one needs no memory of its
// own.
#pragma once

#include <memory>
#include <vector>

namespace lamina::overlay {

// A default-constructed T stands for none: T::is_none().
template <typename T>
class OneOrMore {
 public:
  OneOrMore() = default;
  OneOrMore& operator=(const std::vector<T>& items) {
    clear();
    for (const T& item : items) push_back(item);
    return *this;
  }
  operator std::vector<T>() const {
    std::vector<T> items;
    for_each([&](const T& item) { items.push_back(item); });
    return items;
  }

  void push_back(T item) {
    if (empty()) {
      first_ = std::move(item);
      return;
    }
    if (!rest_) rest_ = std::make_unique<std::vector<T>>();
    rest_->push_back(std::move(item));
  }
  void clear() {
    first_ = T();
    rest_.reset();
  }
  [[nodiscard]] bool empty() const { return first_.is_none(); }
  [[nodiscard]] std::size_t size() const { return empty() ? 0 : 1 + (rest_ ? rest_->size() : 0); }
  [[nodiscard]] const T& front() const { return first_; }
  [[nodiscard]] const T& back() const { return rest_ ? rest_->back() : first_; }
  template <typename Use>
  void for_each(Use use) const {
    if (empty()) return;
    use(first_);
    if (!rest_) return;
    for (const T& item : *rest_) use(item);
  }

 private:
  T first_;
  std::unique_ptr<std::vector<T>> rest_;  // never empty
};

}  // namespace lamina::overlay
