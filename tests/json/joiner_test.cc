#include "service/json/joiner.h"

#include <random>

#include "service/json/sax.h"
#include "service/json/utf8.h"
#include "tests/support/catch.h"

namespace json = tokenrelay::json;

namespace {

const std::string fffd = "\xEF\xBF\xBD";
const std::string smile = "\xF0\x9F\x98\x80";
const std::string high = "\xED\xA0\xBD", low = "\xED\xB8\x80";  // U+D83D, U+DE00 as Reader gives them

// What comes out of each piece, then the flush.
std::vector<std::string> joined(const std::vector<std::string>& pieces) {
  json::Joiner joiner;
  std::string buffer;
  std::vector<std::string> out;
  for (const std::string& piece : pieces) out.emplace_back(joiner.next(piece, buffer));
  out.emplace_back(joiner.flush());
  return out;
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("whole text passes through without a copy") {
  json::Joiner joiner;
  std::string buffer;
  const std::string piece = "plain " + smile;
  CHECK(joiner.next(piece, buffer).data() == piece.data());
  CHECK(joiner.flush().empty());
}

TEST_CASE("halves are held back until the other half comes") {
  CHECK(joined({"a" + high, low + "b"}) == Texts{"a", smile + "b", ""});
  CHECK(joined({high, "", low}) == Texts{"", "", smile, ""});
  CHECK(joined({"\xF0", "\x9F", "\x98", "\x80"}) == Texts{"", "", "", smile, ""});
  CHECK(joined({"x\xE2\x82", "\xAC"}) == Texts{"x", "\xE2\x82\xAC", ""});
  CHECK(joined({high + "\xED", "\xB8\x80"}) == Texts{"", smile, ""});
  CHECK(joined({high + "\xED\xB8", "\x80"}) == Texts{"", smile, ""});
  CHECK(joined({high + "\xED", "\x9F\xBF"}) == Texts{"", fffd + "\xED\x9F\xBF", ""});
  CHECK(joined({high + low}) == Texts{smile, ""});
}

TEST_CASE("what nothing completes becomes U+FFFD, once") {
  CHECK(joined({"a" + high}) == Texts{"a", fffd});
  CHECK(joined({high, "b"}) == Texts{"", fffd + "b", ""});
  CHECK(joined({low + "b"}) == Texts{fffd + "b", ""});
  CHECK(joined({high, high + low}) == Texts{"", fffd + smile, ""});
  CHECK(joined({"\xF0\x9F", "b"}) == Texts{"", fffd + "b", ""});
  CHECK(joined({"\xFF\xFE"}) == Texts{fffd + fffd, ""});
  CHECK(joined({"cut\xE2\x82"}) == Texts{"cut", fffd});
}

TEST_CASE("repaired is valid and leaves what was") {
  CHECK(json::repaired("ok " + smile) == "ok " + smile);
  CHECK(json::repaired("a\xFF" + high) == "a" + fffd + fffd);
}

TEST_CASE("however a text is cut, it comes out whole and never splits a code point") {
  const unsigned seed = Catch::rngSeed();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 3000; ++round) {
    std::string text, sent;
    for (int i = 0; i < 12; ++i) {
      const uint32_t code_point = random() % 3 == 0 ? 0x1F600 + random() % 64 : random() % 2 ? 'a' : 0x20AC;
      json::append_utf8(text, code_point);
      if (code_point > 0xFFFF && random() % 2) {
        json::append_utf8(sent, 0xD800 + ((code_point - 0x10000) >> 10));
        json::append_utf8(sent, 0xDC00 + ((code_point - 0x10000) & 0x3FF));
      } else {
        json::append_utf8(sent, code_point);
      }
    }
    json::Joiner joiner;
    std::string buffer, result;
    for (size_t at = 0; at < sent.size();) {
      const size_t size = 1 + random() % 5;
      const std::string_view out = joiner.next(std::string_view(sent).substr(at, size), buffer);
      REQUIRE(json::valid_utf8(out));
      result += out;
      at += size;
    }
    REQUIRE(joiner.flush().empty());
    REQUIRE(result == text);
  }
}
