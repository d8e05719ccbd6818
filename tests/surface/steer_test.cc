// A steer in the middle of a tool call, out of every surface: the half call is closed where it was told, and nowhere
// else.
#include "service/surface/anthropic/encoder.h"
#include "service/surface/anthropic/opaque.h"
#include "service/surface/gemini/encoder.h"
#include "service/surface/responses/encoder.h"
#include "tests/support/catch.h"
#include "tests/surface/wire_events.h"

using namespace tokenrelay;
using namespace tokenrelay::surface;

namespace {

const Written steered = {started(),        text("I look."),
                         call(0, "{\"x"),  event(storage::EventKind::steer, R"({"content":"shorter"})"),
                         text("No need."), completed()};

std::vector<json::Value> events_of(Encoder& encoder) {
  std::vector<json::Value> out;
  for (const auto& data : data_of(bytes_of(steered, encoder))) out.push_back(json::parse(data).value());
  return out;
}

}  // namespace

TEST_CASE("Messages: the half call's block ends at the steer, blocks never overlap", "[steer]") {
  const auto encoder = make_anthropic_encoder({"msg_1", "m"});
  int open = 0;
  for (const auto& one : events_of(*encoder)) {
    if (one["type"] == "content_block_start") CHECK(++open == 1);
    if (one["type"] == "content_block_stop") --open;
    if (one["type"] == "message_delta") CHECK(one["delta"]["stop_reason"] == "end_turn");
  }
  CHECK(open == 0);
}

TEST_CASE("Gemini: the half call is never told", "[steer]") {
  const auto encoder = make_gemini_encoder({"x", "m"}, false);
  const auto bytes = bytes_of(steered, *encoder);
  CHECK(bytes.find("functionCall") == bytes.npos);
  CHECK(bytes.find("MALFORMED") == bytes.npos);
  CHECK(bytes.find("\"STOP\"") != bytes.npos);
}

TEST_CASE("Gemini: a half call that text followed before the steer decides no finish reason", "[steer]") {
  const auto encoder = make_gemini_encoder({"x", "m"}, false);
  const Written log = {started(),  call(0, "{\"x"), text("and"), event(storage::EventKind::steer, R"({"content":"c"})"),
                       text("so"), completed()};
  const auto bytes = bytes_of(log, *encoder);
  CHECK(bytes.find("MALFORMED") == bytes.npos);
  CHECK(bytes.find("\"STOP\"") != bytes.npos);
}

TEST_CASE("Responses: the half call is done as incomplete at the steer, and in no output", "[steer]") {
  ResponseFacts facts;
  facts.key = "x";
  const auto encoder = make_responses_encoder(facts);
  std::vector<std::string> done;
  for (const auto& one : events_of(*encoder)) {
    CHECK(one["type"] != "response.function_call_arguments.done");
    if (one["type"] == "response.output_item.done")
      done.push_back(one["item"]["type"].get<std::string>() + " " + one["item"]["status"].get<std::string>());
    if (one["type"] != "response.completed") continue;
    for (const auto& item : one["response"]["output"]) CHECK(item["type"] == "message");
    CHECK(one["response"]["output"].size() == 2);
  }
  CHECK(done == std::vector<std::string>{"message completed", "function_call incomplete", "message completed"});
}
