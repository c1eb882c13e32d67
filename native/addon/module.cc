// The N-API side: `sync.NAME(...)` returns the result, `async.NAME(...)` runs on libuv's pool and returns a promise.
// Both give a Buffer, a number ≥ 0, or the negative errno of the failed call; src/platform turns those into errors.
// Arguments of the wrong kind throw a TypeError.
#include <node_api.h>

#include <cstring>
#include <memory>
#include <optional>

#include "addon/operation.h"

namespace lamina::addon {
namespace {

constexpr std::size_t max_arguments = 8;

// N-API reports misuse and a pending exception by its status; nothing can be done here but return to JavaScript.
[[nodiscard]] bool good(napi_status status) { return status == napi_ok; }

std::optional<std::int64_t> read_number(napi_env env, napi_value value) {
  napi_valuetype type = napi_undefined;
  if (!good(napi_typeof(env, value, &type))) return std::nullopt;
  std::int64_t number = 0;
  if (type == napi_bigint) {
    bool lossless = false;
    if (good(napi_get_value_bigint_int64(env, value, &number, &lossless)) && lossless) return number;
    return std::nullopt;
  }
  if (type == napi_number && good(napi_get_value_int64(env, value, &number))) return number;
  return std::nullopt;
}

std::optional<std::string> read_bytes(napi_env env, napi_value value) {
  bool is_buffer = false;
  if (!good(napi_is_buffer(env, value, &is_buffer)) || !is_buffer) return std::nullopt;
  void* data = nullptr;
  std::size_t length = 0;
  if (!good(napi_get_buffer_info(env, value, &data, &length))) return std::nullopt;
  return length == 0 ? std::string() : std::string(static_cast<const char*>(data), length);
}

// Does not copy: whoever calls keeps the Buffer, or the array of Buffers, alive.
bool read_views(napi_env env, napi_value value, Arguments& arguments) {
  bool is_array = false;
  std::uint32_t count = 0;
  if (!good(napi_is_array(env, value, &is_array))) return false;
  if (is_array && !good(napi_get_array_length(env, value, &count))) return false;
  for (std::uint32_t index = 0; index < count; ++index) {
    napi_value element = nullptr;
    bool nested = true;
    if (!good(napi_get_element(env, value, index, &element)) || !good(napi_is_array(env, element, &nested)) || nested ||
        !read_views(env, element, arguments)) {
      return false;
    }
  }
  if (is_array) return true;
  bool is_buffer = false;
  void* data = nullptr;
  std::size_t length = 0;
  if (!good(napi_is_buffer(env, value, &is_buffer)) || !is_buffer ||
      !good(napi_get_buffer_info(env, value, &data, &length))) {
    return false;
  }
  arguments.views.emplace_back(static_cast<const char*>(data), length);
  return true;
}

// False where the value does not match the signature's character.
bool read_argument(napi_env env, napi_value value, char kind, Arguments& arguments) {
  if (kind == 'v') return read_views(env, value, arguments);
  auto number = kind == 'i' || kind == 't' ? read_number(env, value) : std::nullopt;
  if (number) {
    if (kind == 't')
      arguments.targets.emplace_back(static_cast<int>(*number));
    else
      arguments.numbers.push_back(*number);
    return true;
  }
  if (kind == 'i') return false;
  auto bytes = read_bytes(env, value);
  if (!bytes) return false;
  // The kernel would use only the part before the NUL.
  if (kind != 'b' && bytes->find('\0') != std::string::npos) return false;
  if (kind == 't')
    arguments.targets.emplace_back(std::move(*bytes));
  else
    arguments.strings.push_back(std::move(*bytes));
  return true;
}

napi_value throw_type_error(napi_env env, const std::string& message) {
  napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", message.c_str());
  return nullptr;
}

// Reads the call's arguments; where they are wrong, throws in JavaScript and returns nothing.
std::optional<Arguments> read_arguments(napi_env env, napi_callback_info info, const Operation*& operation) {
  napi_value values[max_arguments];
  std::size_t count = max_arguments;
  void* data = nullptr;
  if (!good(napi_get_cb_info(env, info, &count, values, nullptr, &data))) return std::nullopt;
  operation = static_cast<const Operation*>(data);
  const std::string name = operation->name;
  if (count != operation->signature.size()) {
    throw_type_error(env, name + ": takes " + std::to_string(operation->signature.size()) + " arguments");
    return std::nullopt;
  }
  Arguments arguments;
  for (std::size_t index = 0; index < count; ++index) {
    if (!read_argument(env, values[index], operation->signature[index], arguments)) {
      throw_type_error(env,
                       name + ": argument " + std::to_string(index + 1) + " is of the wrong kind or holds a NUL byte");
      return std::nullopt;
    }
  }
  return arguments;
}

napi_value to_javascript(napi_env env, const sys::Result<Value>& result) {
  napi_value answer = nullptr;
  if (!result.ok()) {
    if (!good(napi_create_int32(env, -result.error().value, &answer))) return nullptr;
    return answer;
  }
  if (const auto* bytes = std::get_if<std::string>(&result.value())) {
    if (!good(napi_create_buffer_copy(env, bytes->size(), bytes->data(), nullptr, &answer))) return nullptr;
    return answer;
  }
  const auto* number = std::get_if<std::int64_t>(&result.value());
  if (!good(napi_create_int64(env, number == nullptr ? 0 : *number, &answer))) return nullptr;
  return answer;
}

napi_value call_now(napi_env env, napi_callback_info info) {
  const Operation* operation = nullptr;
  const auto arguments = read_arguments(env, info, operation);
  return arguments ? to_javascript(env, operation->run(*arguments)) : nullptr;
}

// A call on its way through libuv's pool; freed when it has completed.
struct Pending {
  const Operation* operation = nullptr;
  Arguments arguments;
  sys::Result<Value> result = sys::Errno{ECANCELED};
  napi_async_work work = nullptr;
  napi_deferred deferred = nullptr;
  napi_ref view = nullptr;  // keeps alive what the arguments refer to
};

void execute(napi_env, void* data) {
  auto* pending = static_cast<Pending*>(data);
  pending->result = pending->operation->run(pending->arguments);
}

// While Node shuts down the calls fail, and no one is left to report to.
void complete(napi_env env, napi_status, void* data) {
  const std::unique_ptr<Pending> pending(static_cast<Pending*>(data));
  if (napi_value answer = to_javascript(env, pending->result))
    (void)napi_resolve_deferred(env, pending->deferred, answer);
  if (pending->view != nullptr) (void)napi_delete_reference(env, pending->view);
  (void)napi_delete_async_work(env, pending->work);
}

// False where N-API fails.
bool hold_view(napi_env env, napi_callback_info info, Pending& pending) {
  const std::size_t index = pending.operation->signature.find('v');
  if (index == std::string_view::npos) return true;
  napi_value values[max_arguments];
  std::size_t count = max_arguments;
  return good(napi_get_cb_info(env, info, &count, values, nullptr, nullptr)) &&
         good(napi_create_reference(env, values[index], 1, &pending.view));
}

napi_value call_later(napi_env env, napi_callback_info info) {
  auto pending = std::make_unique<Pending>();
  auto arguments = read_arguments(env, info, pending->operation);
  if (!arguments) return nullptr;
  pending->arguments = std::move(*arguments);
  napi_value promise = nullptr;
  napi_value name = nullptr;
  if (!hold_view(env, info, *pending) ||
      !good(napi_create_string_utf8(env, pending->operation->name, NAPI_AUTO_LENGTH, &name)) ||
      !good(napi_create_async_work(env, nullptr, name, execute, complete, pending.get(), &pending->work)) ||
      !good(napi_create_promise(env, &pending->deferred, &promise)) ||
      !good(napi_queue_async_work(env, pending->work))) {
    return throw_type_error(env, "the call could not be queued");
  }
  (void)pending.release();  // complete() frees it
  return promise;
}

// describe(errno): its name and its text, as ["ENOENT", "No such file or directory"].
napi_value describe(napi_env env, napi_callback_info info) {
  napi_value argument = nullptr;
  std::size_t count = 1;
  if (!good(napi_get_cb_info(env, info, &count, &argument, nullptr, nullptr)) || count < 1) return nullptr;
  const auto number = read_number(env, argument);
  if (!number) return throw_type_error(env, "describe: takes a number");
  const char* name = strerrorname_np(static_cast<int>(*number));
  const char* text = strerrordesc_np(static_cast<int>(*number));
  napi_value array = nullptr;
  napi_value element = nullptr;
  if (!good(napi_create_array(env, &array))) return nullptr;
  const std::string fallback = "E" + std::to_string(*number);
  const char* parts[] = {name == nullptr ? fallback.c_str() : name, text == nullptr ? "Unknown error" : text};
  for (std::uint32_t index = 0; index < 2; ++index) {
    if (!good(napi_create_string_utf8(env, parts[index], NAPI_AUTO_LENGTH, &element))) return nullptr;
    if (!good(napi_set_element(env, array, index, element))) return nullptr;
  }
  return array;
}

napi_value functions(napi_env env, napi_callback callback) {
  napi_value object = nullptr;
  if (!good(napi_create_object(env, &object))) return nullptr;
  for (const Operation& operation : operations()) {
    napi_value function = nullptr;
    auto* data = const_cast<Operation*>(&operation);  // N-API's user data is void*
    if (!good(napi_create_function(env, operation.name, NAPI_AUTO_LENGTH, callback, data, &function))) return nullptr;
    if (!good(napi_set_named_property(env, object, operation.name, function))) return nullptr;
  }
  return object;
}

napi_value initialise(napi_env env, napi_value exports) {
  napi_value now = functions(env, call_now);
  napi_value later = functions(env, call_later);
  napi_value description = nullptr;
  if (now == nullptr || later == nullptr) return nullptr;
  if (!good(napi_create_function(env, "describe", NAPI_AUTO_LENGTH, describe, nullptr, &description))) return nullptr;
  if (!good(napi_set_named_property(env, exports, "sync", now)) ||
      !good(napi_set_named_property(env, exports, "async", later)) ||
      !good(napi_set_named_property(env, exports, "describe", description))) {
    return nullptr;
  }
  return exports;
}

}  // namespace
}  // namespace lamina::addon

NAPI_MODULE_INIT() { return lamina::addon::initialise(env, exports); }
