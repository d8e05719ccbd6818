// Content codings undone: every format, every split, several members, what is none, and how much comes at a time.
#include "service/client/body_decoder.h"

#include "tests/client/packed.h"
#include "tests/support/catch.h"

using namespace tokenrelay;
using client::BodyDecoder;
using Coding = BodyDecoder::Coding;
using Kind = BodyDecoder::Kind;

namespace {

struct Unpacked {
  std::string bytes;
  bool bad = false, whole = false;
  size_t longest = 0;
};

Unpacked unpack(const std::string& bytes, Coding coding, size_t read) {
  BodyDecoder decoder(coding);
  Unpacked out;
  for (size_t at = 0; at < bytes.size() && !out.bad; at += read) {
    const std::string piece = bytes.substr(at, read);
    std::string_view input = piece;
    for (auto got = decoder.next(input); got.kind != Kind::more; got = decoder.next(input)) {
      if ((out.bad = got.kind == Kind::bad)) break;
      CHECK_FALSE(got.bytes.empty());
      out.bytes += got.bytes;
      out.longest = std::max(out.longest, got.bytes.size());
    }
    if (!out.bad) CHECK(input.empty());
  }
  out.whole = !out.bad && decoder.whole();
  return out;
}

std::string events() {
  std::string text;
  for (int i = 0; i < 200; ++i) text += "data: {\"delta\":\"word " + std::to_string(i) + "\"}\n\n";
  return text;
}

}  // namespace

TEST_CASE("gzip and both kinds of deflate, in every read") {
  const std::string text = events();
  const std::pair<Format, Coding> formats[] = {
      {Format::gzip, Coding::gzip}, {Format::zlib, Coding::deflate}, {Format::bare, Coding::deflate}};
  for (const auto& [format, coding] : formats) {
    for (const size_t flush_every : {text.size(), size_t{40}}) {
      const std::string bytes = packed(text, format, flush_every);
      for (const size_t read : {size_t{1}, size_t{7}, size_t{100}, bytes.size()}) {
        const Unpacked got = unpack(bytes, coding, read);
        CHECK(got.bytes == text);
        CHECK(got.whole);
        CHECK_FALSE(got.bad);
      }
    }
  }
}

TEST_CASE("an event that was flushed comes out before the next is sent") {
  const std::string one = "data: 1\n\n", both = one + "data: 2\n\n";
  BodyDecoder decoder(Coding::gzip);
  const std::string bytes = packed(both, Format::gzip, one.size());
  std::string out;
  size_t at = 0;
  for (; out.size() < one.size() && at < bytes.size(); ++at) {
    std::string_view input(&bytes[at], 1);
    for (auto got = decoder.next(input); got.kind == Kind::bytes; got = decoder.next(input)) out += got.bytes;
  }
  CHECK(out == one);
  CHECK(at < bytes.size() - 10);
  CHECK_FALSE(decoder.whole());
}

TEST_CASE("members follow each other; what is none after the last is padding") {
  const std::string a = packed("one, ", Format::gzip), b = packed("two", Format::gzip);
  for (const size_t read : {size_t{1}, size_t{1000}}) {
    CHECK(unpack(a + b, Coding::gzip, read).bytes == "one, two");
    CHECK(unpack(a + packed("", Format::gzip) + b + std::string(9, '\0'), Coding::gzip, read).bytes == "one, two");
    CHECK(unpack(a + b + std::string(9, '\0'), Coding::gzip, read).whole);
    CHECK_FALSE(unpack(a + b.substr(0, 12), Coding::gzip, read).whole);
    CHECK(unpack(packed("x", Format::zlib) + "rest", Coding::deflate, read).bytes == "x");
  }
}

TEST_CASE("what is cut is not whole, what is changed is bad, and what came before it has come") {
  const std::string bytes = packed(events(), Format::gzip, 40);
  CHECK_FALSE(unpack(bytes.substr(0, bytes.size() - 1), Coding::gzip, 100).whole);
  CHECK(unpack("", Coding::gzip, 1).whole);
  std::string wrong_sum = bytes;
  wrong_sum[bytes.size() - 6] = static_cast<char>(wrong_sum[bytes.size() - 6] ^ 1);
  const Unpacked got = unpack(wrong_sum, Coding::gzip, 100);
  CHECK(got.bad);
  CHECK(got.bytes == events());
  CHECK(unpack("\x1f\x8bno more of it", Coding::gzip, 1).bad);
  CHECK(unpack("\x78\x9d", Coding::deflate, 2).bad);
}

TEST_CASE("a few bytes that are megabytes come 16 KiB at a time") {
  const std::string bytes = packed(std::string(20u << 20, ' '), Format::gzip);
  REQUIRE(bytes.size() < 30'000);
  const Unpacked got = unpack(bytes, Coding::gzip, bytes.size());
  CHECK(got.bytes.size() == 20u << 20);
  CHECK(got.longest == 16u << 10);
}

TEST_CASE("the words of Content-Encoding") {
  for (const char* none : {"", "identity", "none", "utf-8", "utf8"})
    CHECK(BodyDecoder::coding_of(none) == Coding::none);
  for (const char* gzip : {"gzip", "x-gzip"}) CHECK(BodyDecoder::coding_of(gzip) == Coding::gzip);
  CHECK(BodyDecoder::coding_of("deflate") == Coding::deflate);
  for (const char* other : {"br", "zstd", "gzip, gzip", "compress"})
    CHECK(BodyDecoder::coding_of(other) == Coding::unknown);
}
