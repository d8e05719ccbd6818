#include "service/http/sse.h"

#include "tests/support/catch.h"

using namespace tokenrelay::http;

TEST_CASE("events as they stand on the wire", "[sse]") {
  std::string out;
  sse::append_retry(out, 1000);
  sse::append_event(out, "resumed", R"({"verdict":"start"})");
  out += sse::heartbeat;
  sse::append_event(out, "done", "{}");
  CHECK(out ==
        "retry: 1000\nevent: resumed\ndata: {\"verdict\":\"start\"}\n\n"
        ": hb\nevent: done\ndata: {}\n\n");
}
