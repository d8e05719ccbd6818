#include "service/relay/format.h"

#include <algorithm>

#include "service/relay/event_codec.h"
#include "tests/support/catch.h"

using namespace tokenrelay::relay;

namespace {

const std::vector<Run> runs = {{"aaaaaaaaaa", 1, 2}, {"bbbbbbbbbb", 3, 9}};

std::string block(Seq seq, EventKind kind, std::string_view payload) {
  std::string out = "before";
  sse_format().append(out, runs, seq, kind, payload);
  REQUIRE(out.rfind("before", 0) == 0);  // it appends
  return out.substr(6);
}

}  // namespace

TEST_CASE("an SSE block: name, one line of data, the id last", "[format]") {
  CHECK(block(1, EventKind::start, "{\"model\":\"m\"}") ==
        "event: start\ndata: {\"model\":\"m\"}\nid: aaaaaaaaaa-1\n\n");
  CHECK(block(3, EventKind::reasoning, "hm") == "event: reasoning\ndata: {\"delta\":\"hm\"}\nid: bbbbbbbbbb-3\n\n");
  CHECK(block(9, EventKind::done, "{}") == "event: done\ndata: {}\nid: bbbbbbbbbb-9\n\n");
}

TEST_CASE("text is unnamed, so that onmessage shows it", "[format]") {
  CHECK(block(2, EventKind::text, "Hel") == "data: {\"delta\":\"Hel\"}\nid: aaaaaaaaaa-2\n\n");
}

TEST_CASE("no payload can break out of its line", "[format]") {
  using namespace std::string_literals;
  const std::string hostile = "\r\n\nid: zzzzzzzzzz-1\ndata: x\r\xe2\x80\xa8\xff\0end"s;
  for (const auto kind : {EventKind::text, EventKind::reasoning}) {
    const std::string out = block(2, kind, hostile);
    CHECK(out.find('\r') == std::string::npos);
    CHECK(out.find('\0') == std::string::npos);
    CHECK(std::count(out.begin(), out.end(), '\n') == (kind == EventKind::text ? 3 : 4));
  }
}
