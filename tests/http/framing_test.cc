#include "service/http/framing.h"

#include <random>
#include <string>
#include <vector>

#include "tests/http/framing_outcome.h"
#include "tests/support/catch.h"

using namespace tokenrelay::http;

namespace {

const std::string host = "Host: a\r\n";

std::string repeat(const std::string& text, size_t times) {
  std::string out;
  for (size_t i = 0; i < times; ++i) out += text;
  return out;
}

// The outcome, which must be the same in every split.
std::string framed(const std::string& bytes, const FramingLimits& limits = {}) {
  const std::string whole = all_at_once(bytes, limits);
  CHECK(byte_by_byte(bytes, limits) == whole);
  const unsigned seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 20; ++round) {
    auto step = [&](size_t left) {
      return std::uniform_int_distribution<size_t>(1, std::min<size_t>(left, 40))(random);
    };
    CHECK(outcome(bytes, step, limits) == whole);
  }
  return whole;
}

std::string code(const std::string& bytes, const FramingLimits& limits = {}) {
  std::string out = framed(bytes, limits);
  return out.substr(0, out.find(':'));
}

std::string get(const std::string& target) {
  return "GET " + target + " HTTP/1.1\r\n" + host + "\r\n";
}
std::string with(const std::string& headers) {
  return "POST / HTTP/1.1\r\n" + host + headers + "\r\n";
}
std::string chunked(const std::string& body) {
  return with("Transfer-Encoding: chunked\r\n") + body;
}

}  // namespace

TEST_CASE("requests in every shape that is allowed", "[framing]") {
  CHECK(framed(get("/a/b?x=1&y=%20z+w&&flag#").substr(0, 4)) == "head\n");
  CHECK(framed(get("/a/b?x=1&y=%20z+w&&flag")) == "GET /a/b ?x=1 ?y= z w ?flag= host:a\n");
  CHECK(framed("\r\n" + get("/")) == "GET / host:a\n");
  CHECK(framed("\r\n") == "");
  CHECK(framed("GET / HTTP/1.0\r\n\r\n") == "GET / 1.0 close\n");
  CHECK(framed("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n") == "GET / connection:Keep-Alive 1.0\n");
  CHECK(framed(with("Connection: foo, CLOSE\r\nContent-Length: 2\r\n") + "hi") ==
        "POST / host:a connection:foo, CLOSE content-length:2 close body=hi\n");
  CHECK(framed(with("X-Empty:\r\nX-Trim: \t a b \t\r\nx-trim:c\r\nX-High: \xc3\xa9\r\n")) ==
        "POST / host:a x-empty: x-trim:a b x-trim:c x-high:\xc3\xa9\n");
  CHECK(framed("OPTIONS * HTTP/1.1\r\n" + host + "\r\n") == "OPTIONS * host:a\n");
  CHECK(framed("GET http://b:81/p?q=1 HTTP/1.1\r\n" + host + "\r\n") == "GET /p ?q=1 host:b:81\n");
  CHECK(framed("GET HTTPS://b HTTP/1.1\r\n" + host + "\r\n") == "GET / host:b\n");
  CHECK(framed("GET http://b?q HTTP/1.1\r\n" + host + "\r\n") == "GET / ?q= host:b\n");
  CHECK(framed("GET http://b/ HTTP/1.0\r\n\r\n") == "GET / host:b 1.0 close\n");
  CHECK(framed("GET /a%2fb HTTP/1.1\r\nHost:\r\n\r\n") == "GET /a%2fb host:\n");
  CHECK(framed(with("Content-Length: 0\r\n")) == "POST / host:a content-length:0 body=\n");
  CHECK(framed(with("Content-Length: 00000000000000000000000000003\r\n") + "abc").find("body=abc") !=
        std::string::npos);
}

TEST_CASE("pipelined requests come out one after the other", "[framing]") {
  CHECK(framed(get("/1") + with("Content-Length: 3\r\n") + "abc" + chunked("1\r\nx\r\n0\r\n\r\n") + get("/2")) ==
        "GET /1 host:a\nPOST / host:a content-length:3 body=abc\nPOST / host:a transfer-encoding:chunked body=x\n"
        "GET /2 host:a\n");
}

TEST_CASE("chunked bodies", "[framing]") {
  const std::string head = "POST / host:a transfer-encoding:chunked body=";
  CHECK(framed(chunked("0\r\n\r\n")) == head + "\n");
  CHECK(framed(chunked("3\r\nabc\r\nA;name=\"v\"\r\n0123456789\r\n000\r\n\r\n")) == head + "abc0123456789\n");
  CHECK(framed(chunked("2\r\n\r\n\r\n0\r\n\r\n")) == head + "\r\n\n");
  // Trailers are dropped: they never become headers.
  CHECK(framed(chunked("1\r\na\r\n0\r\nContent-Length: 5\r\nX: y\r\n\r\n")) == head + "a\n");
  CHECK(framed(with("Transfer-Encoding: CHUNKED\r\n") + "0\r\n\r\n").find("body=") != std::string::npos);
  for (const char* bad :
       {"\r\n", "x\r\n", "-1\r\n", "+1\r\n", "0x1\r\n", "1 \r\na\r\n", " 1\r\na\r\n", "1\na\r\n0\r\n\r\n",
        "1\r\nab\r\n0\r\n\r\n", "1\r\na\n0\r\n\r\n", "1\r\na0\r\n\r\n", "11111111111111111\r\n", ";x\r\n",
        "1\ra\r\n0\r\n\r\n", "0\r\nbad trailer\r\n\r\n", "0\r\n: x\r\n\r\n", "0\r\nA: b\n\r\n", "1;\x01\r\n"}) {
    INFO(bad);
    CHECK(code(chunked(bad)) == "invalid_request");
  }
  CHECK(code(chunked("ffffffffffffffff\r\n")) == "body_too_large");
  CHECK(code(chunked("1;" + std::string(300, 'x') + "\r\na\r\n")) == "invalid_request");
  CHECK(code(chunked("0\r\n" + repeat("A: b\r\n", 65) + "\r\n")) == "head_too_large");
  CHECK(code(chunked("0\r\n" + repeat("A: " + std::string(4000, 'b') + "\r\n", 5) + "\r\n")) == "head_too_large");
}

TEST_CASE("what two readers could read differently is refused", "[framing]") {
  const std::vector<std::string> bad = {
      with("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"),
      with("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n"),
      with("Content-Length: 3\r\nContent-Length: 3\r\n"),
      with("Content-Length: 3\r\nContent-Length: 4\r\n"),
      with("Content-Length: 3, 3\r\n"),
      with("Content-Length: 3abc\r\n"),
      with("Content-Length: +3\r\n"),
      with("Content-Length: -3\r\n"),
      with("Content-Length: 0x3\r\n"),
      with("Content-Length: 3 3\r\n"),
      with("Content-Length:\r\n"),
      with("Transfer-Encoding: gzip\r\n"),
      with("Transfer-Encoding: gzip, chunked\r\n"),
      with("Transfer-Encoding: chunked, chunked\r\n"),
      with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
      with("Transfer-Encoding: identity\r\n"),
      with("Transfer-Encoding: \"chunked\"\r\n"),
      with("Transfer-Encoding: chunked;q=1\r\n"),
      with("Transfer-Encoding:\r\n"),
      "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
      with("Transfer-Encoding : chunked\r\n"),
      with("Transfer-Encoding\t: chunked\r\n"),
      with("Transfer Encoding: chunked\r\n"),
      with("\x0bTransfer-Encoding: chunked\r\n"),
      with("X: a\r\n folded\r\n"),
      with("X: a\r\n\tfolded\r\n"),
      "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
      with("X: a\rb\r\n"),
      with("X: a\r\r\n"),
      with("X: a\n"),
      with(std::string("X: a\0b\r\n", 8)),
      with("X: a\x7f\r\n"),
      with("X: a\x1b[0m\r\n"),
      with("no colon\r\n"),
      with(": empty\r\n"),
      with("X@Y: a\r\n"),
      with("X\xc3\xa9: a\r\n"),
      "GET / HTTP/1.1\r\n\r\n",
      "GET / HTTP/1.1\r\n" + host + host + "\r\n",
      "GET / HTTP/1.0\r\n" + host + host + "\r\n",
      "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
      "GET http://a HTTP/1.1\r\n\r\n",
      "GET /\n" + host + "\n",
      "GET  / HTTP/1.1\r\n" + host + "\r\n",
      "GET /  HTTP/1.1\r\n" + host + "\r\n",
      " GET / HTTP/1.1\r\n" + host + "\r\n",
      "GET / HTTP/1.1 \r\n" + host + "\r\n",
      "GET\t/ HTTP/1.1\r\n" + host + "\r\n",
      "GET / HTTP/1.1\r\r\n",
      "GET /\r\n\r\n",
      "GET / HTTP/11\r\n\r\n",
      "GET / http/1.1\r\n\r\n",
      "GET / HTTP/1.1x\r\n\r\n",
      "G(T / HTTP/1.1\r\n" + host + "\r\n",
      std::string(40, 'G') + " / HTTP/1.1\r\n" + host + "\r\n",
      "\r\n\r\n" + get("/"),
      "GET * HTTP/1.1\r\n" + host + "\r\n",
      "CONNECT a:443 HTTP/1.1\r\n" + host + "\r\n",
      "GET a HTTP/1.1\r\n" + host + "\r\n",
      "GET ftp://a/ HTTP/1.1\r\n" + host + "\r\n",
      "GET http:// HTTP/1.1\r\n" + host + "\r\n",
      "GET http://u:p@a/ HTTP/1.1\r\n" + host + "\r\n",
      get("/a#b"),
      get("/\xc3\xa9"),
      get("/%"),
      get("/%4"),
      get("/%zz"),
      get("/%00"),
      std::string("\x16\x03\x01\x02\x00\x01", 6),
  };
  for (const std::string& bytes : bad) {
    INFO(bytes);
    CHECK(code(bytes) == "invalid_request");
  }
}

TEST_CASE("versions", "[framing]") {
  for (const char* version : {"HTTP/2.0", "HTTP/0.9", "HTTP/1.2", "HTTP/3.0"}) {
    CHECK(code("GET / " + std::string(version) + "\r\n\r\n") == "version_not_supported");
  }
  CHECK(code("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") == "version_not_supported");
}

TEST_CASE("limits, exactly", "[framing]") {
  const FramingLimits limits{.head_bytes = 400, .line_bytes = 100, .path_bytes = 20, .headers = 5, .body_bytes = 10};
  auto says = [&](const std::string& bytes) { return code(bytes, limits); };
  CHECK(says(get("/" + std::string(19, 'a'))).starts_with("GET"));
  CHECK(says(get("/" + std::string(20, 'a'))) == "uri_too_long");
  CHECK(says(get("/?" + std::string(70, 'a'))).starts_with("GET"));
  CHECK(says(get("/?" + std::string(90, 'a'))) == "uri_too_long");  // the request line is over line_bytes
  CHECK(says(std::string(101, 'G')) == "uri_too_long");
  CHECK(says(with("A: " + std::string(97, 'b') + "\r\n")).starts_with("POST"));
  CHECK(says(with("A: " + std::string(98, 'b') + "\r\n")) == "head_too_large");
  CHECK(says(with(repeat("A: b\r\n", 4))).starts_with("POST"));
  CHECK(says(with(repeat("A: b\r\n", 5))) == "head_too_large");
  CHECK(says(with(repeat("A: " + std::string(90, 'b') + "\r\n", 4))) == "head_too_large");
  CHECK(says(with("Content-Length: 10\r\n") + "0123456789").starts_with("POST"));
  CHECK(says(with("Content-Length: 11\r\n")) == "body_too_large");
  CHECK(says(with("Content-Length: 99999999999999999999999\r\n")) == "body_too_large");
  CHECK(says(chunked("5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n")).starts_with("POST"));
  CHECK(says(chunked("5\r\n01234\r\n6\r\n")) == "body_too_large");
}

TEST_CASE("expectations", "[framing]") {
  CHECK(framed(with("Content-Length: 1\r\nExpect: 100-Continue\r\n")) == "continue\n");
  CHECK(framed(with("Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n")) == "continue\n");
  CHECK(framed(with("Content-Length: 2\r\nExpect: 100-continue\r\n") + "a") == "body\n");  // no longer needed
  CHECK(framed(with("Content-Length: 0\r\nExpect: 100-continue\r\n")).starts_with("POST"));
  CHECK(code(with("Content-Length: 1\r\nExpect: 200-ok\r\n")) == "expectation_failed");
  CHECK(framed("POST / HTTP/1.0\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n") == "body\n");
  CHECK(code(with("Content-Length: 99999999\r\nExpect: 100-continue\r\n")) == "body_too_large");
}

TEST_CASE("random damage to good requests never frames differently by splits", "[framing]") {
  const unsigned seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  const std::string good = get("/a?b=c") + with("Content-Length: 3\r\nX: y\r\n") + "abc" +
                           chunked("3;e=1\r\nabc\r\n0\r\nT: v\r\n\r\n") + "\r\n" + get("http://h/");
  const std::string_view spices("\r\n\0 \t:;,%?#/*0123aZ\x7f\x80", 21);
  auto up_to = [&](size_t n) { return std::uniform_int_distribution<size_t>(0, n)(random); };
  for (int round = 0; round < 3000; ++round) {
    std::string bytes = good;
    for (size_t n = up_to(3); n-- > 0;) {
      size_t at = up_to(bytes.size() - 1);
      switch (up_to(2)) {
        case 0:
          bytes[at] = spices[up_to(spices.size() - 1)];
          break;
        case 1:
          bytes.erase(at, up_to(8));
          break;
        default:
          bytes.insert(at, 1, spices[up_to(spices.size() - 1)]);
      }
      if (bytes.empty()) bytes = "G";
    }
    const std::string whole = all_at_once(bytes);
    REQUIRE(byte_by_byte(bytes) == whole);
    REQUIRE(outcome(bytes, [&](size_t) { return up_to(30) + 1; }) == whole);
  }
}
