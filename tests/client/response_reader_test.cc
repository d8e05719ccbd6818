// Responses read piece by piece: every framing, every split, every bound, and what is no HTTP.
#include "service/client/response_reader.h"

#include "tests/client/response_outcome.h"
#include "tests/support/catch.h"

using namespace tokenrelay;
using client::ResponseReader;

namespace {

std::string chunked(const std::string& body, const std::string& more = "") {
  return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + more + "\r\n" + body;
}

std::string with_head(const std::string& lines, const std::string& body = "") {
  return "HTTP/1.1 200 OK\r\n" + lines + "\r\n" + body;
}

// What comes out, the same in one piece, byte by byte and in every two pieces.
Outcome read(const std::string& bytes) {
  const Outcome whole = outcome_of(bytes, bytes.size());
  CHECK(outcome_of(bytes, 1) == whole);
  for (size_t at = 1; at < std::min<size_t>(bytes.size(), 2000); ++at) {
    if (outcome_of_two(bytes, at) != whole) FAIL("split at " << at << " of " << bytes.size());
  }
  return whole;
}

bool is_http(const std::string& bytes) {
  return !read(bytes).bad;
}

}  // namespace

TEST_CASE("a body with a length") {
  const Outcome got =
      read(with_head("Content-Type: Application/JSON; charset=utf-8\r\nContent-Length: 5\r\n", "hello"));
  CHECK(got.status == 200);
  CHECK(got.content_type == "application/json");
  CHECK(got.body == "hello");
  CHECK(got.ended);
  CHECK(got.keeps);
  CHECK(got.left == "");
  CHECK(read(with_head("Content-Length: 0\r\n")).ended);
  CHECK(read(with_head("content-length:5  \r\n", "helloHTTP/1.1 200")).left == "HTTP/1.1 200");
  CHECK_FALSE(read(with_head("Content-Length: 6\r\n", "hello")).ended);
}

TEST_CASE("a body in chunks, with extensions and trailers") {
  const Outcome got =
      read(chunked("5;a=b;c=\"d\"\r\nhello\r\n0A \r\n, world...\r\n000\r\nServer-Timing: x\r\nX: y\r\n\r\nleft"));
  CHECK(got.body == "hello, world...");
  CHECK(got.ended);
  CHECK(got.keeps);
  CHECK(got.left == "left");
  CHECK(read(chunked("5\nhello\n0\n\n")).ended);  // bare line feeds
  CHECK_FALSE(read(chunked("5\r\nhello\r\n0\r\n")).ended);
  CHECK_FALSE(read(chunked("5\r\nhel")).bad);
}

TEST_CASE("a body that the connection's end ends") {
  const Outcome got = read(with_head("Content-Type: text/event-stream\r\n", "data: x\n\n"));
  CHECK(got.body == "data: x\n\n");
  CHECK(got.by_close);
  CHECK_FALSE(got.ended);
  CHECK(read("HTTP/1.1 200\r\n\r\nx").body == "x");
}

TEST_CASE("statuses without a body") {
  for (const char* status : {"204 No Content", "304 Not Modified"}) {
    const Outcome got = read("HTTP/1.1 " + std::string(status) + "\r\nContent-Length: 7\r\n\r\nnext");
    CHECK(got.ended);
    CHECK(got.body == "");
    CHECK(got.left == "next");
  }
}

TEST_CASE("interim responses are passed over") {
  const std::string early =
      "HTTP/1.1 103 Early Hints\r\nContent-Length: 99\r\nRetry-After: 9\r\nConnection: close\r\n\r\n";
  const Outcome got = read("HTTP/1.1 100 Continue\r\n\r\n" + early + with_head("Content-Length: 2\r\n", "ok"));
  CHECK(got.status == 200);
  CHECK(got.body == "ok");
  CHECK(got.keeps);
  CHECK(got.heads == 1);
  CHECK_FALSE(is_http("HTTP/1.1 101 Switching Protocols\r\n\r\n"));
}

TEST_CASE("which connections another request may use") {
  CHECK_FALSE(read(with_head("Connection: close\r\nContent-Length: 1\r\n", "x")).keeps);
  CHECK_FALSE(read(with_head("Connection: x, Close\r\nContent-Length: 1\r\n", "x")).keeps);
  CHECK(read(with_head("Connection: keep-alive\r\nContent-Length: 1\r\n", "x")).keeps);
  CHECK_FALSE(read("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx").keeps);
  const Outcome both = read(with_head("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "1\r\nx\r\n0\r\n\r\n"));
  CHECK(both.body == "x");
  CHECK(both.ended);
  CHECK_FALSE(both.keeps);
  const Outcome twice = read(chunked("1\r\nx\r\n0\r\n\r\n", "Transfer-Encoding: chunked\r\n"));
  CHECK(twice.body == "x");
  CHECK(twice.ended);
  CHECK_FALSE(twice.keeps);
}

TEST_CASE("lengths that contradict themselves are no HTTP") {
  CHECK(is_http(with_head("Content-Length: 1\r\nContent-Length: 1\r\n", "x")));
  CHECK(is_http(with_head("Transfer-Encoding: identity\r\nContent-Length: 1\r\n", "x")));
  for (const char* lines :
       {"Content-Length: 1\r\nContent-Length: 2\r\n", "Content-Length: -1\r\n", "Content-Length: +1\r\n",
        "Content-Length: 1, 1\r\n", "Content-Length:\r\n", "Content-Length: 0x1\r\n", "Content-Length: 1 1\r\n",
        "Content-Length: 18446744073709551616\r\n", "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked, chunked\r\n", "Transfer-Encoding: chunked\r\n , gzip\r\n",
        "Content-Length: 1\r\n 2\r\n", "Transfer-Encoding:\r\n chunked\r\n"}) {
    INFO(lines);
    CHECK_FALSE(is_http(with_head(lines, "xx")));
  }
}

TEST_CASE("chunks that are none") {
  for (const char* body : {"x\r\n", "\r\n", "-1\r\n", "+1\r\nx\r\n", "0x1\r\nx\r\n", "1g\r\n", ";a\r\n",
                           "10000000000000000\r\n", "1\r\nxy\r\n", "1\r\nx1\r\nx\r\n", "1\r\nx\r\n\r\n"}) {
    INFO(body);
    CHECK_FALSE(is_http(chunked(body)));
  }
}

TEST_CASE("heads that are none") {
  using namespace std::literals;
  for (const std::string& bytes :
       {"SSH-2.0-OpenSSH_9.2\r\n"s, "x"s, "HTTP/2 200\r\n\r\n"s, "HTTP/1.1 20\r\n\r\n"s, "HTTP/1.1 2000\r\n\r\n"s,
        "HTTP/1.1 099 x\r\n\r\n"s, "HTTP/1.1  200 OK\r\n\r\n"s, "HTTP/1.x 200 OK\r\n\r\n"s,
        "\r\nHTTP/1.1 200 OK\r\n\r\n"s, with_head("no colon\r\n"), with_head(": no name\r\n"), with_head("A: b\rc\r\n"),
        with_head("A: b\0c\r\n"s)}) {
    INFO(bytes);
    CHECK_FALSE(is_http(bytes));
  }
  CHECK(is_http(with_head("X-Long: a\r\n folded\r\nContent-Length : 1\r\n", "x")));
}

TEST_CASE("the head is bounded, interim heads and trailers included") {
  const std::string line = "X: " + std::string(995, 'x') + "\r\n";
  const auto lines = [&](int count) {
    std::string out;
    while (count-- > 0) out += line;
    return out;
  };
  const auto bad = [](const std::string& bytes) {
    CHECK(outcome_of(bytes, 1000) == outcome_of(bytes, bytes.size()));
    return outcome_of(bytes, bytes.size()).bad;
  };
  CHECK_FALSE(bad(with_head(lines(65))));
  CHECK(bad(with_head(lines(66))));
  CHECK(bad("HTTP/1.1 100 C\r\n" + lines(40) + "\r\n" + with_head(lines(40))));
  CHECK(bad(chunked("0\r\n" + lines(40), lines(40))));
  CHECK(bad("HTTP/1.1 200 " + std::string(ResponseReader::max_head, 'x')));  // a line that does not end
}

TEST_CASE("the line with a chunk's size is bounded") {
  const auto sized = [](size_t size) { return chunked("1;" + std::string(size - 4, 'x') + "\r\ny\r\n0\r\n\r\n"); };
  CHECK(read(sized(ResponseReader::max_size_line)).body == "y");
  CHECK_FALSE(is_http(sized(ResponseReader::max_size_line + 1)));
  CHECK_FALSE(is_http(chunked(std::string(ResponseReader::max_size_line, '0'))));
}

TEST_CASE("what another try should know is taken from the head") {
  const transport::Clock& clock = transport::system_clock();
  ResponseReader reader(clock);
  const std::string bytes = "HTTP/1.1 429 Slow\r\nretry-after: 7\r\nX-Should-Retry: false\r\n\r\n";
  std::string_view input = bytes;
  REQUIRE(reader.next(input).kind == ResponseReader::Kind::head);
  CHECK(reader.head().status == 429);
  CHECK(reader.head().retry_after_ms == 7000);
  CHECK(reader.head().should_retry == false);
}
