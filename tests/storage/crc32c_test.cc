#include "storage/crc32c.h"

#include <string>

#include "tests/support/catch.h"

using tokenrelay::storage::crc32c;

TEST_CASE("CRC-32C of the known vectors (RFC 3720, B.4)") {
  CHECK(crc32c("123456789") == 0xE3069283u);
  CHECK(crc32c(std::string(32, '\0')) == 0x8A9136AAu);
  CHECK(crc32c(std::string(32, '\xff')) == 0x62A8AB43u);
  CHECK(crc32c("") == 0);
}

TEST_CASE("CRC-32C goes on where it stopped, at any cut") {
  const std::string text = "the quick brown fox jumps over the lazy dog";
  for (size_t cut = 0; cut <= text.size(); ++cut) {
    CHECK(crc32c(std::string_view(text).substr(cut), crc32c(text.substr(0, cut))) == crc32c(text));
  }
}
