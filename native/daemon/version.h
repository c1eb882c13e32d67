#pragma once

namespace lamina::daemon {

// The version in package.json.
inline constexpr const char* version = LAMINA_VERSION;

}  // namespace lamina::daemon
