#include "service/upstream/sse_parser.h"

#include <random>

#include "tests/support/catch.h"

using tokenrelay::upstream::SseEvent;
using tokenrelay::upstream::SseParser;
using tokenrelay::upstream::SseSink;
using Result = SseParser::Result;

namespace {

struct Sink final : SseSink {
  bool on_event(const SseEvent& event) override {
    got.push_back(std::string(event.name) +
                  (event.is_error_line ? "!"
                   : event.is_bare     ? "~"
                                       : "|") +
                  std::string(event.data) + (event.unterminated ? "$" : ""));
    last_data = event.data.data();
    return got.size() != stop_after;
  }
  std::vector<std::string> got;
  const char* last_data = nullptr;
  size_t stop_after = 0;
};

using Events = std::vector<std::string>;

Events parse(const std::vector<std::string>& reads) {
  Sink sink;
  SseParser parser(sink, 1000);
  for (const std::string& read : reads) {
    const std::string copy(read.data(), read.size());  // so that a view kept over reads is found by the sanitizer
    CHECK(parser.feed(copy) == Result::more);
  }
  CHECK(parser.finish() == Result::more);
  return sink.got;
}

const std::string sample =
    "\xEF\xBB\xBF: comment\nevent: named\ndata: one\nid: 7\n\ndata:two\r\ndata:  three\r\n\r\ndata\rdata: "
    "four\r\rretry: 5\n\n"
    "data:\n\ndata: \n\nevent: x\n\nunknown: y\n: c\ndata: f\xC3\xBCnf\n\nerror: {\"code\":1}\n\ndata: last";
const Events expected = {"named|one",    "|two\n three",  "|\nfour", "~unknown: y",
                         "|f\xC3\xBCnf", "!{\"code\":1}", "|last$"};

}  // namespace

TEST_CASE("events as the standard has them, and llama.cpp's error line") {
  CHECK(parse({sample}) == expected);
}

TEST_CASE("split in two at every place, and byte by byte") {
  for (size_t at = 0; at <= sample.size(); ++at) {
    INFO(at);
    REQUIRE(parse({sample.substr(0, at), sample.substr(at)}) == expected);
  }
  std::vector<std::string> bytes;
  for (const char byte : sample) bytes.emplace_back(1, byte);
  CHECK(parse(bytes) == expected);
}

TEST_CASE("split at random places") {
  const unsigned seed = Catch::rngSeed();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 2000; ++round) {
    std::vector<std::string> reads;
    for (size_t at = 0; at < sample.size();) {
      const size_t size = random() % 12;
      reads.push_back(sample.substr(at, size));
      at += size;
    }
    REQUIRE(parse(reads) == expected);
  }
}

TEST_CASE("an event in one read is not copied") {
  Sink sink;
  SseParser parser(sink, 1000);
  const std::string read = "data: view\n\nda";
  parser.feed(read);
  CHECK(sink.last_data == read.data() + 6);
}

TEST_CASE("what the end of the body leaves") {
  CHECK(parse({"data: a\n"}) == Events{"|a$"});
  CHECK(parse({"data: a\n\n"}) == Events{"|a"});
  CHECK(parse({"data: a\r", "\n\r", "\n"}) == Events{"|a"});
  CHECK(parse({"event: e\n"}).empty());
  CHECK(parse({""}).empty());
}

TEST_CASE("an event, a line or a comment over the limit") {
  const auto result = [](const std::vector<std::string>& reads) {
    Sink sink;
    SseParser parser(sink, 1000);
    Result last = Result::more;
    for (const std::string& read : reads) {
      if (last == Result::more) last = parser.feed(read);
    }
    return last;
  };
  CHECK(result({"data: " + std::string(990, 'x') + "\n\n"}) == Result::more);
  CHECK(result({"data: " + std::string(1001, 'x') + "\n\n"}) == Result::too_large);
  CHECK(result({"data: " + std::string(1001, 'x')}) == Result::too_large);
  CHECK(result(std::vector<std::string>(1001, "x")) == Result::too_large);
  CHECK(result(std::vector<std::string>(200, "data: x123456789\n")) == Result::too_large);
  CHECK(result({std::string(2000, ':')}) == Result::too_large);
  CHECK(result(std::vector<std::string>(500, "data: x123456789\n\n")) == Result::more);
  CHECK(result(std::vector<std::string>(5000, ": hb\n")) == Result::more);
}

TEST_CASE("the sink may stop, and destroy the parser") {
  Sink sink;
  sink.stop_after = 2;
  SseParser parser(sink, 1000);
  CHECK(parser.feed("data: a\n\ndata: b\n\ndata: c\n\n") == Result::stopped);
  CHECK(sink.got.size() == 2);

  struct Destroyer final : SseSink {
    bool on_event(const SseEvent&) override {
      parser.reset();
      return false;
    }
    std::unique_ptr<SseParser> parser;
  };
  for (const std::vector<std::string>& reads :
       {Events{"data: a\n\nx"}, Events{"da", "ta: a\n\nx"}, Events{"err", "or: a\n"}}) {
    Destroyer destroyer;
    destroyer.parser = std::make_unique<SseParser>(destroyer, 1000);
    for (const std::string& read : reads) {
      if (destroyer.parser) destroyer.parser->feed(read);
    }
    CHECK_FALSE(destroyer.parser);
  }
}
