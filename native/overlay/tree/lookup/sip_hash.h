// SipHash-2-4 (Aumasson, Bernstein 2012): a hash that cannot be made to collide without the secret.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace lamina::overlay {

using HashSecret = std::array<std::uint64_t, 2>;

// From the kernel's random numbers.
HashSecret random_secret();
[[nodiscard]] std::uint64_t sip_hash(const HashSecret& secret, std::string_view text);

}  // namespace lamina::overlay
