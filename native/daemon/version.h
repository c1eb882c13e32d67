#pragma once

namespace lamina::daemon {

// That of package.json.
inline constexpr const char* version = LAMINA_VERSION;

}  // namespace lamina::daemon
