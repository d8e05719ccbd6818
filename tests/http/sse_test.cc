#include "service/http/sse.h"

#include "tests/support/catch.h"

using namespace tokenrelay::http;

TEST_CASE("events as they stand on the wire", "[sse]") {
  std::string out;
  sse::append_retry(out, 1000);
  sse::append_event(out, "", "resumed", R"({"verdict":"start"})");
  sse::append_event(out, "q7m2k9xwab-2", "", R"({"delta":"Hel"})");
  out += sse::heartbeat;
  sse::append_event(out, "q7m2k9xwab-3", "done", "{}");
  CHECK(out ==
        "retry: 1000\nevent: resumed\ndata: {\"verdict\":\"start\"}\n\n"
        "id: q7m2k9xwab-2\ndata: {\"delta\":\"Hel\"}\n\n"
        ": hb\nid: q7m2k9xwab-3\nevent: done\ndata: {}\n\n");
}
