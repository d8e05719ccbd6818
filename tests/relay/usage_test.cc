#include "service/relay/usage.h"

#include "service/json/parse.h"
#include "tests/support/catch.h"

using namespace tokenrelay;
using namespace tokenrelay::relay;
using upstream::FinishReason;

TEST_CASE("usage: what the provider counts is taken as it comes", "[usage]") {
  UsageTotal total;
  total.add({3, 9}, 100, 100);
  CHECK(total.json() == R"({"input_tokens":3,"output_tokens":9,"source":"provider"})");
  total.add({0, 0}, 0, 0);
  CHECK(total.json() == R"({"input_tokens":3,"output_tokens":9,"source":"provider"})");
}

TEST_CASE("usage: a zero where there was text is a count that was not made", "[usage]") {
  UsageTotal total;
  total.add({3, 0}, 100, 100);
  CHECK(total.json() == R"({"input_tokens":3,"output_tokens":25,"source":"estimated"})");
}

TEST_CASE("usage: what it does not say is a quarter of the bytes, rounded up", "[usage]") {
  UsageTotal total;
  total.add({std::nullopt, 7}, 9, 100);
  CHECK(total.json() == R"({"input_tokens":3,"output_tokens":7,"source":"estimated"})");
  total.add({}, 0, 1);
  CHECK(total.json() == R"({"input_tokens":3,"output_tokens":8,"source":"estimated"})");
}

TEST_CASE("usage: several generations are summed, the weakest source counts", "[usage]") {
  UsageTotal total;
  total.add({10, 20}, 0, 0);
  total.add({1, 2}, 0, 0);
  CHECK(total.json() == R"({"input_tokens":11,"output_tokens":22,"source":"provider"})");
  total.add({1, std::nullopt}, 0, 4);
  CHECK(total.json() == R"({"input_tokens":12,"output_tokens":23,"source":"estimated"})");
  total.add_unknown();
  CHECK(total.json() == R"({"source":"unknown"})");
  total.add({1, 1}, 0, 0);
  CHECK(total.json() == R"({"source":"unknown"})");
}

TEST_CASE("usage: its parts, as far as they were told", "[usage]") {
  UsageTotal total;
  upstream::Usage said = {10, 20};
  said.cached_tokens = 4;
  said.reasoning_tokens = 0;
  total.add(said, 0, 0);
  CHECK(total.json() == R"({"input_tokens":10,"output_tokens":20,"cached_input_tokens":4,"reasoning_tokens":0,)"
                        R"("source":"provider"})");
  said.cache_write_tokens = 1;
  said.audio_input_tokens = 2;
  said.audio_output_tokens = 3;
  total.add(said, 0, 0);
  total.add({1, 1}, 0, 0);
  CHECK(total.json() == R"({"input_tokens":21,"output_tokens":41,"cached_input_tokens":8,"cache_write_tokens":1,)"
                        R"("audio_input_tokens":2,"reasoning_tokens":0,"audio_output_tokens":3,"source":"provider"})");
}

TEST_CASE("usage: nothing known is never a silent zero", "[usage]") {
  CHECK(UsageTotal().json() == R"({"source":"unknown"})");
}

TEST_CASE("done: a completed stream", "[usage]") {
  upstream::Outcome outcome;
  CHECK(done_payload("completed", &outcome, "{}", std::nullopt) ==
        R"({"status":"completed","finish_reason":"stop","usage":{}})");
  outcome.stop_sequence = "\n\n";
  CHECK(done_payload("completed", &outcome, "{}", std::nullopt) ==
        R"({"status":"completed","finish_reason":"stop","stop_sequence":"\n\n","usage":{}})");
  outcome = {std::nullopt, FinishReason::other, "we\"ird", "", {}};
  CHECK(done_payload("completed", &outcome, "{}", std::nullopt) ==
        R"({"status":"completed","finish_reason":"other","finish_reason_raw":"we\"ird","usage":{}})");
}

TEST_CASE("done: one that failed, with what the upstream said, on one line", "[usage]") {
  const StreamError error{"upstream_error", "line\none \xff", true};
  const std::string done = done_payload("failed", nullptr, R"({"source":"unknown"})", error);
  CHECK(done.find('\n') == std::string::npos);
  const auto parsed = json::parse(done);
  REQUIRE(parsed);
  CHECK((*parsed)["finish_reason"].is_null());
  CHECK((*parsed)["error"]["code"] == "upstream_error");
  CHECK((*parsed)["error"]["message"] == "line\none \xef\xbf\xbd");
  CHECK((*parsed)["error"]["retryable"] == true);
}

TEST_CASE("finish reasons have the contract's names", "[usage]") {
  CHECK(name_of(FinishReason::stop) == "stop");
  CHECK(name_of(FinishReason::length) == "length");
  CHECK(name_of(FinishReason::tool_calls) == "tool_calls");
  CHECK(name_of(FinishReason::content_filter) == "content_filter");
  CHECK(name_of(FinishReason::other) == "other");
}
