// A provider's own events on the surface of its protocol: as they were; and what the relay adds where the provider says
// no more: after a steer, a cancel, a cut.
#include "service/json/exact.h"
#include "service/surface/anthropic/encoder.h"
#include "service/surface/anthropic/fold.h"
#include "service/surface/chat/own.h"
#include "service/surface/gemini/encoder.h"
#include "service/surface/gemini/fold.h"
#include "service/surface/responses/encoder.h"
#include "service/surface/responses/own.h"
#include "tests/support/catch.h"
#include "tests/surface/own_log.h"

namespace tokenrelay::surface {
namespace {

using json::Value;
using Lines = std::vector<std::string>;
using Voice = upstream::OwnEvent::Voice;

// As a server sends it, and as it is shown: under the relay's id.
std::string start_of(const std::string& id) {
  return R"({"type":"message_start","message":{"id":")" + id +
         R"(","type":"message","role":"assistant","model":"m-1","content":[],"stop_reason":null,"stop_sequence":null,)"
         R"("usage":{"input_tokens":3},"new":1.0}})";
}
const std::string message_start = start_of("msg_theirs"), shown_start = start_of("msg_relays");
const std::string text_start = R"({"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}})";
const Logged text_shape =
    own_shape(R"({"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":")", R"("}})");

std::string delta_of(int index, const std::string& said) {
  return R"({"type":"content_block_delta","index":)" + std::to_string(index) +
         R"(,"delta":{"type":"text_delta","text":")" + said + R"("}})";
}

Lines messages(const Written& log) {
  const auto encoder = make_anthropic_encoder({"msg_relays", "m"});
  return data_of(bytes_of(log, *encoder));
}

Written begun(const std::string& kind, std::initializer_list<Logged> more) {
  Written log = {own_started(kind)};
  log.insert(log.end(), more);
  return log;
}

Value parsed(const std::string& text) {
  return json::parse(text).value();
}

Lines responses(const Written& log) {
  ResponseFacts facts;
  facts.key = "relays";
  const auto encoder = make_responses_encoder(facts);
  return data_of(bytes_of(log, *encoder));
}

const std::string created = R"({"type":"response.created","response":{"id":"resp_theirs","tools":[{"n":1.0}]}})";
const std::string item_added =
    R"({"type":"response.output_item.added","output_index":1,"item":{"id":"msg_theirs","type":"message","x":1}})";
const Logged output_shape =
    own_shape(R"({"type":"response.output_text.delta","item_id":"msg_theirs","delta":")", "\"}");

}  // namespace

TEST_CASE("Messages: the provider's events come as they were", "[own]") {
  const std::string stop = R"({"type":"message_stop"})",
                    unknown = R"({"type":"brand_new","n":12345678901234567890123})";
  const Written log = begun("anthropic", {own_event(message_start), own_event(text_start), text_shape, text("Hi"),
                                          text("!"), own_event(unknown), own_event(stop), completed()});
  CHECK(messages(log) == Lines{shown_start, text_start, delta_of(1, "Hi"), delta_of(1, "!"), unknown, stop});
}

TEST_CASE("Messages: what follows a steer goes on in the open text block, under the provider's message", "[own]") {
  const Lines wire = messages(begun("anthropic", {own_event(message_start), own_event(text_start), text_shape,
                                                  text("Hi"), steered(), text("so"), completed()}));
  REQUIRE(wire.size() == 7);
  CHECK(wire[3] == delta_of(1, "so"));
  CHECK(wire[4] == R"({"type":"content_block_stop","index":1})");
  CHECK(parsed(wire[5])["delta"]["stop_reason"] == "end_turn");
  CHECK(parsed(wire[5])["usage"]["output_tokens"] == 5);
}

TEST_CASE("Messages: a steer ends a block that is no text, and the next has a number of its own", "[own]") {
  const Lines wire = messages(begun(
      "anthropic", {own_event(message_start),
                    own_event(R"({"type":"content_block_start","index":3,"content_block":{"type":"server_tool_use"}})"),
                    steered(), text("so"), completed()}));
  REQUIRE(wire.size() == 8);
  CHECK(wire[2] == R"({"type":"content_block_stop","index":3})");
  CHECK(parsed(wire[3])["index"] == 4);
  CHECK(wire[4] == delta_of(4, "so"));
}

TEST_CASE("Messages: an answer that its provider did not end is ended, one that failed has the error", "[own]") {
  const Written half = begun("anthropic", {own_event(message_start), own_event(text_start), text_shape, text("Hi")});
  Written cancelled = half;
  cancelled.push_back(done(R"("status":"cancelled","finish_reason":null,"usage":{"source":"unknown"})"));
  const Lines wire = messages(cancelled);
  REQUIRE(wire.size() == 6);
  CHECK(wire[3] == R"({"type":"content_block_stop","index":1})");
  CHECK(wire[5] == R"({"type":"message_stop"})");
  Written failed = half;
  const Logged truncated = done(
      R"("status":"failed","usage":{"source":"unknown"},"error":{"code":"upstream_truncated","message":"m","retryable":true})");
  failed.push_back(truncated);
  CHECK(parsed(messages(failed).back())["type"] == "error");
  Written said = half;  // the provider has said so itself
  said.push_back(own_event(R"({"type":"error","error":{"type":"overloaded_error","new":1}})"));
  said.push_back(truncated);
  CHECK(messages(said).back() == R"({"type":"error","error":{"type":"overloaded_error","new":1}})");
  Written reasoned = half;
  reasoned.push_back(own_event(R"({"type":"content_block_stop","index":1})"));
  reasoned.push_back(own_event(R"({"type":"message_delta","delta":{"stop_reason":"new_reason"}})"));
  reasoned.push_back(completed());
  const Lines ended = messages(reasoned);
  REQUIRE(ended.size() == 6);
  CHECK(ended[5] == R"({"type":"message_stop"})");
}

TEST_CASE("Messages: a fallback of another kind is a message of the relay's", "[own]") {
  const Lines wire = messages(begun("anthropic", {event(storage::EventKind::upstream, "{}"), text("Hi"), completed()}));
  REQUIRE(wire.size() == 6);
  CHECK(parsed(wire[0])["message"]["id"] == "msg_relays");
}

TEST_CASE("Messages: the events add up to the message", "[own]") {
  MessageFold fold;
  for (
      const char* one :
      {R"({"type":"message_start","message":{"id":"a","content":[],"stop_reason":null,"usage":{"input_tokens":3,"output_tokens":1}}})",
       R"({"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}})",
       R"({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}})",
       R"({"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"t","input":{}}})",
       R"({"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"x\":1"}})",
       R"({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"b"}})",
       R"({"type":"content_block_delta","index":0,"delta":{"type":"citations_delta","citation":{"c":1}}})",
       R"({"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":".50}"}})",
       R"({"type":"content_block_delta","index":7,"delta":{"type":"text_delta","text":"of no block"}})",
       R"({"type":"content_block_start","index":2,"content_block":{"type":"thinking","thinking":"","signature":""}})",
       R"({"type":"content_block_delta","index":2,"delta":{"type":"thinking_delta","thinking":"hm"}})",
       R"({"type":"content_block_delta","index":2,"delta":{"type":"signature_delta","signature":"s"}})",
       R"({"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":9},"context_management":{"e":[]}})",
       R"({"type":"message_stop"})"}) {
    fold.take(json::parse_exact(one).value());
  }
  const Value message = std::move(fold).message();
  CHECK(json::dump_exact(message) ==
        json::dump_exact(json::parse_exact(R"({"id":"a","content":[{"type":"text","text":"ab","citations":[{"c":1}]},
    {"type":"tool_use","id":"t","input":{"x":1.50}},{"type":"thinking","thinking":"hm","signature":"s"}],
    "stop_reason":"tool_use","usage":{"input_tokens":3,"output_tokens":9},"context_management":{"e":[]}})")
                             .value()));
}

TEST_CASE("Messages: what a server leaves out of its message and SDKs need is put in", "[own]") {
  CHECK(complete_start(message_start, "m") == message_start);
  const Value bare = parsed(complete_start(R"({"type":"message_start","message":{"id":"a","x":1.0}})", "m"))["message"];
  CHECK(bare["role"] == "assistant");
  CHECK(bare["model"] == "m");
  CHECK(bare["usage"]["output_tokens"] == 0);
  CHECK(bare["id"] == "a");
  CHECK(complete_start(R"({"type":"message_start"})", "m") == R"({"type":"message_start"})");
}

TEST_CASE("Chat: usage that a client did not ask for is left out of a chunk", "[own]") {
  const auto without = [](std::string chunk) {
    drop_null_usage(chunk);
    return chunk;
  };
  CHECK(without(R"({"id":"a","usage":null})") == R"({"id":"a"})");
  CHECK(without(R"({"usage" : null , "id":"a"})") == R"({"id":"a"})");
  CHECK(without(R"({"usage":null})") == "{}");
  for (const char* kept : {R"({"id":"a","usage":{"x":1}})", R"({"text":"\"usage\":null"})", R"({"usage)", "{}"}) {
    CHECK(without(kept) == kept);
  }
}

TEST_CASE("Chat: the chunks add up to the completion", "[own]") {
  CompletionFold fold;
  for (
      const char* one :
      {R"({"id":"c","object":"chat.completion.chunk","created":7,"system_fingerprint":"f","choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],"usage":null})",
       R"({"id":"c","choices":[{"index":0,"delta":{"content":"a"},"logprobs":{"content":[{"token":"a"}]}}],"obfuscation":"x"})",
       R"({"id":"c","choices":[{"index":1,"delta":{"role":"assistant","refusal":"no"},"finish_reason":"stop"}]})",
       R"({"id":"c","choices":[{"index":0,"delta":{"content":"b"},"logprobs":{"content":[{"token":"b"}]}}]})",
       R"({"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"t","type":"function","function":{"name":"f","arguments":""}}]}}]})",
       R"({"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]},"finish_reason":"tool_calls","content_filter_results":{"x":1}}]})",
       R"({"id":"c","choices":[],"usage":{"prompt_tokens":1}})"}) {
    fold.take(parsed(one));
  }
  const Value completion = std::move(fold).completion();
  CHECK(completion == parsed(R"({"id":"c","object":"chat.completion","created":7,"system_fingerprint":"f","choices":[
    {"index":0,"message":{"role":"assistant","content":"ab","tool_calls":[{"id":"t","type":"function",
      "function":{"name":"f","arguments":"{}"}}],"refusal":null},"logprobs":{"content":[{"token":"a"},{"token":"b"}]},
      "finish_reason":"tool_calls","content_filter_results":{"x":1}},
    {"index":1,"message":{"role":"assistant","refusal":"no","content":null},"finish_reason":"stop","logprobs":null}],"usage":{"prompt_tokens":1}})"));
}

TEST_CASE("Gemini: chunks come as they were, as events and as an array", "[own]") {
  const std::string last = R"({"candidates":[{"finishReason":"STOP"}],"modelVersion":"r"})";
  const Written log =
      begun("gemini", {own_shape(R"({"candidates":[{"content":{"parts":[{"text":")", R"("}]}}],"n":1.0})"), text("a"),
                       own_event(last), completed()});
  const std::string first = R"({"candidates":[{"content":{"parts":[{"text":"a"}]}}],"n":1.0})";
  CHECK(data_of(bytes_of(log, *make_gemini_encoder({"x", "m"}, false))) == Lines{first, last});
  CHECK(bytes_of(log, *make_gemini_encoder({"x", "m"}, true)) == "[" + first + ",\n" + last + "]\n");
  Written cut = log;
  cut.erase(cut.begin() + 3);
  cut.back() = done(R"("status":"cancelled","finish_reason":null,"usage":{"source":"unknown"})");
  const Lines ended = data_of(bytes_of(cut, *make_gemini_encoder({"x", "m"}, false)));
  REQUIRE(ended.size() == 2);
  CHECK(parsed(ended[1])["candidates"][0]["finishReason"] == "OTHER");
}

TEST_CASE("Gemini: the chunks add up to the response", "[own]") {
  ResponseFold fold;
  CHECK_FALSE(fold.has_reason());
  for (
      const char* one :
      {R"({"candidates":[{"content":{"role":"model","parts":[{"text":"t","thought":true}]},"index":0}]})",
       R"({"candidates":[{"content":{"parts":[{"text":"a"}]}},{"index":1,"content":{"parts":[{"text":"z"}]}}]})",
       R"({"candidates":[{"content":{"parts":[{"text":"b","thoughtSignature":"s"},{"text":"c"}]}}]})",
       R"({"candidates":[{"content":{"parts":[{"inlineData":{"data":"x"}}]},"finishReason":"STOP"}],"usageMetadata":{"n":1}})"}) {
    fold.take(parsed(one));
  }
  CHECK(fold.has_reason());
  const Value response = std::move(fold).response();
  CHECK(response == parsed(R"({"candidates":[{"content":{"role":"model","parts":[
    {"text":"t","thought":true},{"text":"ab","thoughtSignature":"s"},{"text":"c"},{"inlineData":{"data":"x"}}]},
    "index":0,"finishReason":"STOP"},{"index":1,"content":{"parts":[{"text":"z"}]}}],"usageMetadata":{"n":1}})"));
  ResponseFold failed;
  failed.take(parsed(R"({"error":{"code":500}})"));
  CHECK_FALSE(failed.has_reason());
}

TEST_CASE("whatever a provider's members hold, the pieces are put together without a fault", "[own]") {
  const std::vector<std::string> values = {
      "null", "1",  "1e999",          "\"x\"",          "[]", "[1]", "{}", "true", "[{}]",
      "[[]]", "-1", "{\"index\":{}}", "[{\"index\":0}]"};
  const std::vector<std::string> shapes = {
      R"({"type":"message_start","message":@})",
      R"({"type":"content_block_start","index":@,"content_block":{}})",
      R"({"type":"content_block_start","index":0,"content_block":@})",
      R"({"type":"content_block_delta","index":0,"delta":@})",
      R"({"type":"content_block_delta","index":0,"delta":{"type":"x","text":@,"partial_json":@,"citation":@}})",
      R"({"type":"message_delta","delta":@,"usage":@,"more":@})",
      R"({"choices":@,"id":@,"error":@})",
      R"({"choices":[@],"usage":@})",
      R"({"choices":[{"index":@,"delta":@,"finish_reason":@,"logprobs":@}]})",
      R"({"choices":[{"delta":{"content":@,"tool_calls":@,"audio":@}}]})",
      R"({"choices":[{"delta":{"tool_calls":[{"index":0,"function":@,"id":@}]}}]})",
      R"({"candidates":@,"response":@})",
      R"({"candidates":[{"index":@,"content":@,"finishReason":@}]})",
      R"({"response":{"candidates":[@]}})",
      R"({"candidates":[{"content":{"parts":@,"role":@}}]})",
      R"({"candidates":[{"content":{"parts":[{"text":@,"thought":@},{"text":"x","thought":@}]}}]})",
      R"({"promptFeedback":@,"error":@})",
      "@"};
  MessageFold message;
  CompletionFold completion;
  ResponseFold response;
  for (const auto& value : values) {
    for (std::string shape : shapes) {
      for (size_t at = shape.find('@'); at != shape.npos; at = shape.find('@')) shape.replace(at, 1, value);
      INFO(shape);
      const auto event = json::parse_exact(shape);
      REQUIRE(event);
      CHECK_NOTHROW(message.take(*event));
      CHECK_NOTHROW(completion.take(*event));
      CHECK_NOTHROW(response.take(*event));
      for (const char* kind : {"anthropic", "openai", "gemini", "openai-responses"}) {
        const Written log = {own_started(kind), own_event(shape), own_event(shape), steered(), text("x"), completed()};
        CHECK_NOTHROW(bytes_of(log, *make_anthropic_encoder({"msg_relays", "m"})));
        CHECK_NOTHROW(bytes_of(log, *make_gemini_encoder({"x", "m"}, false)));
        CHECK_NOTHROW(bytes_of(log, *make_responses_encoder({})));
      }
    }
  }
  CHECK_NOTHROW(json::dump_exact(std::move(message).message()));
  CHECK_NOTHROW(json::dump_exact(std::move(completion).completion()));
  CHECK_NOTHROW(json::dump_exact(std::move(response).response()));
}

TEST_CASE("Responses: events come as they were, under the relay's id and numbers", "[own]") {
  const std::string completed_event = R"({"type":"response.completed","response":{"id":"resp_theirs","n":1e-400}})";
  const Lines wire = responses(begun("openai-responses", {own_event(created), own_event(item_added), output_shape,
                                                          text("Hi"), own_event(completed_event), completed()}));
  CHECK(wire ==
        Lines{R"({"sequence_number":0,"type":"response.created","response":{"id":"resp_relays","tools":[{"n":1.0}]}})",
              "{\"sequence_number\":1," + item_added.substr(1),
              R"({"sequence_number":2,"type":"response.output_text.delta","item_id":"msg_theirs","delta":"Hi"})",
              R"({"sequence_number":3,"type":"response.completed","response":{"id":"resp_relays","n":1e-400}})"});
}

TEST_CASE("Responses: a steer ends what is open, and goes on in items of new numbers", "[own]") {
  const Lines wire = responses(begun("openai-responses", {own_event(created), own_event(item_added), output_shape,
                                                          text("Hi"), steered(), text("so"), completed()}));
  std::vector<Value> told;
  for (const auto& line : wire) told.push_back(parsed(line));
  for (size_t i = 0; i < told.size(); ++i) CHECK(told[i]["sequence_number"] == i);
  REQUIRE(told.size() == 11);
  CHECK(told[3]["type"] == "response.output_item.done");
  CHECK(told[3]["item"]["status"] == "incomplete");
  CHECK(told[3]["item"]["content"][0]["text"] == "Hi");
  CHECK(told[4]["type"] == "response.output_item.added");
  CHECK(told[4]["output_index"] == 2);
  CHECK(told[6]["delta"] == "so");
  const Value last = told.back();
  CHECK(last["type"] == "response.completed");
  CHECK(last["response"]["id"] == "resp_relays");
  CHECK(last["response"]["output"][0]["content"][0]["text"] == "Hiso");
}

TEST_CASE("Responses: one that was cancelled ends what is open and tells what was said", "[own]") {
  const Lines wire = responses(
      begun("openai-responses", {own_event(created), own_event(item_added), output_shape, text("Hi"),
                                 done(R"("status":"cancelled","finish_reason":null,"usage":{"source":"unknown"})")}));
  REQUIRE(wire.size() == 5);
  CHECK(parsed(wire[3])["type"] == "response.output_item.done");
  CHECK(parsed(wire[4])["response"]["status"] == "cancelled");
  CHECK(parsed(wire[4])["response"]["output"][0]["content"][0]["text"] == "Hi");
}

TEST_CASE("Responses: input of the relay's own making is translated, a provider's goes up", "[own]") {
  const auto foreign = [](const std::string& item) { return has_foreign_items(parsed("{\"input\":[" + item + "]}")); };
  CHECK(foreign(R"({"type":"item_reference","id":"msg_abc_0"})"));
  CHECK(foreign(R"({"type":"reasoning","encrypted_content":"{\"provider\":\"gemini\"}"})"));
  CHECK_FALSE(foreign(R"({"type":"item_reference","id":"msg_68af"})"));
  CHECK_FALSE(foreign(R"({"type":"reasoning","encrypted_content":"gAAAA"})"));
  CHECK_FALSE(has_foreign_items(parsed(R"({"input":"x"})")));
}

}  // namespace tokenrelay::surface
