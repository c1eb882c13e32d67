#include "overlay/tree/lookup/sip_hash.h"

#include <bit>
#include <cstddef>
#include <random>

namespace lamina::overlay {

namespace {

struct State {
  std::uint64_t v0, v1, v2, v3;

  void round() {
    v0 += v1;
    v1 = std::rotl(v1, 13) ^ v0;
    v0 = std::rotl(v0, 32);
    v2 += v3;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 += v3;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 += v1;
    v1 = std::rotl(v1, 17) ^ v2;
    v2 = std::rotl(v2, 32);
  }
  void take(std::uint64_t word) {
    v3 ^= word;
    round();
    round();
    v0 ^= word;
  }
};

}  // namespace

HashSecret random_secret() {
  std::random_device device;
  const auto word = [&] { return (std::uint64_t{device()} << 32U) | device(); };
  return {word(), word()};
}

std::uint64_t sip_hash(const HashSecret& secret, std::string_view text) {
  State state{secret[0] ^ 0x736F6D6570736575ULL, secret[1] ^ 0x646F72616E646F6DULL, secret[0] ^ 0x6C7967656E657261ULL,
              secret[1] ^ 0x7465646279746573ULL};
  // The last word ends with the length.
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    word |= std::uint64_t{static_cast<unsigned char>(text[i])} << (8 * (i % 8));
    if (i % 8 != 7) continue;
    state.take(word);
    word = 0;
  }
  state.take(word | (std::uint64_t{text.size()} << 56U));
  state.v2 ^= 0xFF;
  for (int i = 0; i < 4; ++i) state.round();
  return state.v0 ^ state.v1 ^ state.v2 ^ state.v3;
}

}  // namespace lamina::overlay
