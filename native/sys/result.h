// Errors are values: a Result<T> holds a T or the errno of the call that failed. No exception crosses a request.
#pragma once

#include <cerrno>
#include <utility>
#include <variant>

namespace lamina::sys {

// A positive errno(3) number.
struct [[nodiscard]] Errno {
  int value = 0;
  friend bool operator==(Errno, Errno) = default;
};

// The errno of the system call that has just failed on this thread.
inline Errno last_error() { return Errno{errno}; }

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT: implicit by design
  Result(Errno error) : state_(std::in_place_index<1>, error) {}         // NOLINT: implicit by design

  [[nodiscard]] bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  // Defined only where ok().
  T& value() & { return *std::get_if<0>(&state_); }
  const T& value() const& { return *std::get_if<0>(&state_); }
  // By value: a `for` over a call's result must not refer to a destroyed Result.
  T value() && { return std::move(*std::get_if<0>(&state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  // Defined only where not ok().
  [[nodiscard]] Errno error() const { return *std::get_if<1>(&state_); }
  // True where this is the given errno.
  [[nodiscard]] bool failed_with(int number) const { return !ok() && error().value == number; }

 private:
  std::variant<T, Errno> state_;
};

// Success without a value, or an errno.
template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Errno error) : error_(error) {}  // NOLINT: implicit by design
  [[nodiscard]] bool ok() const { return error_.value == 0; }
  explicit operator bool() const { return ok(); }
  [[nodiscard]] Errno error() const { return error_; }
  [[nodiscard]] bool failed_with(int number) const { return error_.value == number; }

 private:
  Errno error_{0};
};

using Status = Result<void>;

}  // namespace lamina::sys

// Returns the error of `expression` (a Status) from the enclosing function.
#define LAMINA_TRY(expression)                                                                                         \
  do {                                                                                                                 \
    auto lamina_status_ = (expression);                                                                                \
    if (!lamina_status_.ok()) return lamina_status_.error();                                                           \
  } while (false)

#define LAMINA_CONCAT_INNER(a, b) a##b
#define LAMINA_CONCAT(a, b) LAMINA_CONCAT_INNER(a, b)

// Declares `variable` as the value of `expression` (a Result<T>), or returns its error from the enclosing function.
#define LAMINA_ASSIGN(variable, expression)                                                                            \
  LAMINA_ASSIGN_INNER(variable, expression, LAMINA_CONCAT(lamina_result_, __LINE__))
#define LAMINA_ASSIGN_INNER(variable, expression, temporary)                                                           \
  auto temporary = (expression);                                                                                       \
  if (!temporary.ok()) return temporary.error();                                                                       \
  variable = std::move(temporary).value()
