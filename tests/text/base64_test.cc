#include "service/text/base64.h"

#include <array>
#include <random>

#include "tests/support/catch.h"

using namespace tokenrelay::text;

TEST_CASE("base64, the examples of RFC 4648", "[text]") {
  const std::pair<const char*, const char*> known[] = {{"", ""},
                                                       {"f", "Zg=="},
                                                       {"fo", "Zm8="},
                                                       {"foo", "Zm9v"},
                                                       {"foob", "Zm9vYg=="},
                                                       {"fooba", "Zm9vYmE="},
                                                       {"foobar", "Zm9vYmFy"}};
  for (const auto& [bytes, letters] : known) {
    CHECK(base64(bytes) == letters);
    CHECK(from_base64(letters) == bytes);
  }
  CHECK(from_base64("Zm8") == "fo");
  CHECK_FALSE(from_base64("Zm8!"));
  CHECK_FALSE(from_base64("Zm-_"));
}

TEST_CASE("what was written in base64 is read again, zero bytes at the end too", "[text]") {
  const unsigned seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 draws(seed);
  for (int round = 0; round < 1'000; ++round) {
    std::string bytes(draws() % 50, '\0');
    for (char& byte : bytes) byte = static_cast<char>(draws() % 3 == 0 ? 0 : draws());
    REQUIRE(from_base64(base64(bytes)) == bytes);
  }
}

TEST_CASE("a drawn byte is a letter", "[text]") {
  const std::array<unsigned char, 4> drawn = {0, 31, 32, 255};
  CHECK(random_letters(drawn) == "a7a7");
}
