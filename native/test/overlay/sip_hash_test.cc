// Against the vectors of the paper's reference implementation: key 00 01 … 0f, text 00 01 … of each length.
#include "overlay/tree/lookup/sip_hash.h"

#include <gtest/gtest.h>

#include <string>

namespace lamina::overlay {
namespace {

constexpr HashSecret secret{0x0706050403020100ULL, 0x0F0E0D0C0B0A0908ULL};

std::string counted(std::size_t length) {
  std::string text;
  for (std::size_t i = 0; i < length; ++i) text += static_cast<char>(i);
  return text;
}

TEST(SipHash, IsThatOfThePaper) {
  EXPECT_EQ(sip_hash(secret, counted(0)), 0x726FDB47DD0E0E31ULL);
  EXPECT_EQ(sip_hash(secret, counted(1)), 0x74F839C593DC67FDULL);
  EXPECT_EQ(sip_hash(secret, counted(7)), 0xAB0200F58B01D137ULL);
  EXPECT_EQ(sip_hash(secret, counted(8)), 0x93F5F5799A932462ULL);
  EXPECT_EQ(sip_hash(secret, counted(15)), 0xA129CA6149BE45E5ULL);
}

TEST(SipHash, DependsOnTheSecret) { EXPECT_NE(sip_hash(random_secret(), "a/b"), sip_hash(random_secret(), "a/b")); }

}  // namespace
}  // namespace lamina::overlay
