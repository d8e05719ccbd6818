// The Messages surface's answers: blocks, signatures and reasons, in a stream and whole.
#include "service/surface/anthropic/encoder.h"

#include "service/relay/event_codec.h"
#include "service/surface/anthropic/opaque.h"
#include "tests/support/catch.h"

namespace tokenrelay::surface {
namespace {

using json::Value;
using storage::EventKind;

struct LogEvent {
  EventKind kind;
  std::string payload;
};
using Log = std::vector<LogEvent>;

const MessageFacts facts = {"msg_abc", "m"};
const LogEvent start = {EventKind::start, R"({"model":"m","provider":"fake"})"};
const LogEvent completed = {
    EventKind::done, R"({"status":"completed","finish_reason":"stop","usage":{"input_tokens":7,"output_tokens":5}})"};
const LogEvent signature = {EventKind::opaque, R"({"provider":"anthropic","type":"signature","data":"sig+/=="})"};

LogEvent text(std::string words) {
  return {EventKind::text, std::move(words)};
}
LogEvent reasoning(std::string words) {
  return {EventKind::reasoning, std::move(words)};
}
LogEvent call(uint64_t index, const std::string& arguments) {
  const std::string id = "call_" + std::to_string(index);
  return {EventKind::tool_call, relay::encode_tool_call({index, id, "f", arguments})};
}
LogEvent done(const std::string& status, const std::string& more) {
  return {EventKind::done, R"({"status":")" + status + "\"" + more + "}"};
}

std::string wire_of(const Log& log) {
  const std::vector<relay::Run> runs = {{"run0", 1}};
  const auto encoder = make_anthropic_encoder(facts);
  std::string out;
  relay::Seq seq = 0;
  for (const auto& event : log) encoder->append(out, runs, ++seq, event.kind, event.payload);
  return out;
}

// Each wire event on a line: "start 0 text", "delta 0 text_delta Hi", "stop 0", then the names of the others.
std::string told(const Log& log) {
  const std::string wire = wire_of(log);
  std::string out;
  for (size_t at = wire.find("event: "); at != wire.npos; at = wire.find("event: ", at + 1)) {
    const size_t data = wire.find("\ndata: ", at) + 7;
    const auto event = json::parse(wire.substr(data, wire.find('\n', data) - data)).value();
    const std::string type = event["type"];
    CHECK(wire.substr(at + 7, data - 7 - at - 7) == type);
    if (type == "content_block_start") {
      out += "start " + std::to_string(event["index"].get<int>()) + " " +
             event["content_block"]["type"].get<std::string>() + "\n";
    } else if (type == "content_block_delta") {
      const Value& delta = event["delta"];
      out += "delta " + std::to_string(event["index"].get<int>()) + " " + delta["type"].get<std::string>() + " " +
             std::prev(delta.end()).value().get<std::string>() + "\n";
    } else if (type == "content_block_stop") {
      out += "stop " + std::to_string(event["index"].get<int>()) + "\n";
    } else {
      out += type + "\n";
    }
  }
  return out;
}

Value whole(const Log& log) {
  Transcript transcript;
  for (const auto& event : log) transcript.add(event.kind, event.payload);
  return anthropic_message(facts, transcript);
}

Value parsed(const std::string& text) {
  return json::parse(text).value();
}

TEST_CASE("Messages surface: the events of an answer, to the byte") {
  CHECK(wire_of({start, text("a\"b"), completed}) ==
        R"(event: message_start
data: {"type":"message_start","message":{"id":"msg_abc","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,"stop_details":null,"container":null,"diagnostics":null,"usage":{"input_tokens":0,"output_tokens":0,"cache_creation_input_tokens":null,"cache_read_input_tokens":null,"output_tokens_details":null,"server_tool_use":null,"cache_creation":null,"inference_geo":null,"service_tier":null,"speed":null}}}
id: run0-1

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":"","citations":[]}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a\"b"}}
id: run0-2

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null,"stop_details":null,"container":null},"usage":{"input_tokens":7,"output_tokens":5,"cache_creation_input_tokens":null,"cache_read_input_tokens":null,"output_tokens_details":null,"server_tool_use":null}}

event: message_stop
data: {"type":"message_stop"}
id: run0-3

)");
}

TEST_CASE("Messages surface: blocks follow one another, steers and seams are invisible") {
  const Log log = {start,
                   reasoning("h"),
                   reasoning("m"),
                   signature,
                   {EventKind::opaque, R"({"provider":"anthropic","type":"redacted_thinking","data":"red"})"},
                   text("a"),
                   {EventKind::steer, R"({"content":"c"})"},
                   {EventKind::upstream, R"({"attempt":2,"reason":"r"})"},
                   text("b"),
                   call(0, ""),
                   call(0, R"({"x":"}\"{"})"),
                   call(1, "{}"),
                   completed};
  CHECK(told(log) == R"(message_start
start 0 thinking
delta 0 thinking_delta h
delta 0 thinking_delta m
delta 0 signature_delta sig+/==
stop 0
start 1 redacted_thinking
stop 1
start 2 text
delta 2 text_delta a
delta 2 text_delta b
stop 2
start 3 tool_use
delta 3 input_json_delta )"
                     "\n"
                     R"(delta 3 input_json_delta {"x":"}\"{"}
stop 3
start 4 tool_use
delta 4 input_json_delta {}
stop 4
message_delta
message_stop
)");
  CHECK(whole(log) == parsed(R"({"id":"msg_abc","type":"message","role":"assistant","model":"m","content":[
      {"type":"thinking","thinking":"hm","signature":"sig+/=="},
      {"type":"redacted_thinking","data":"red"},
      {"type":"text","text":"ab","citations":[]},
      {"type":"tool_use","id":"call_0","name":"f","input":{"x":"}\"{"},"caller":{"type":"direct"}},
      {"type":"tool_use","id":"call_1","name":"f","input":{},"caller":{"type":"direct"}}],
      "stop_reason":"end_turn","stop_sequence":null,"stop_details":null,"container":null,"diagnostics":null,
      "usage":{"input_tokens":7,"output_tokens":5,"cache_creation_input_tokens":null,"cache_read_input_tokens":null,
      "output_tokens_details":null,"server_tool_use":null,"cache_creation":null,"inference_geo":null,"service_tier":null,
      "speed":null}})"));
}

TEST_CASE("Messages surface: calls told side by side stay open until they are whole") {
  CHECK(told({start, call(0, R"({"a":)"), call(1, R"({"b":)"), text("t"), call(0, "1}"), call(1, "2}"), text("u"),
              call(0, " "), completed}) == R"(message_start
start 0 tool_use
delta 0 input_json_delta {"a":
start 1 tool_use
delta 1 input_json_delta {"b":
start 2 text
delta 2 text_delta t
delta 0 input_json_delta 1}
delta 1 input_json_delta 2}
delta 2 text_delta u
delta 0 input_json_delta )"
                                           " \n"
                                           R"(stop 2
stop 0
stop 1
message_delta
message_stop
)");
}

TEST_CASE("Messages surface: a signature without thinking, and thinking without one") {
  const Log bare = {start, signature, signature, text("t"), completed};
  CHECK(told(bare) == R"(message_start
start 0 thinking
delta 0 signature_delta sig+/==
stop 0
start 1 thinking
delta 1 signature_delta sig+/==
stop 1
start 2 text
delta 2 text_delta t
stop 2
message_delta
message_stop
)");
  CHECK(whole(bare)["content"].size() == 3);
  CHECK(whole({start, reasoning("h"), completed})["content"][0]["signature"] == "");
}

TEST_CASE("Messages surface: what another provider wants back travels in a block") {
  const std::string opaque = R"({"provider":"gemini","type":"thought_signature","data":"s","index":0})";
  const Log log = {start, call(0, "{}"), {EventKind::opaque, opaque}, completed};
  CHECK(told(log) == R"(message_start
start 0 tool_use
delta 0 input_json_delta {}
stop 0
start 1 redacted_thinking
stop 1
message_delta
message_stop
)");
  const Value block = whole(log)["content"][1];
  CHECK(block["type"] == "redacted_thinking");
  CHECK(foreign_opaque(block["data"]) == parsed(opaque));
  CHECK(foreign_opaque("EvQBCkYICxgC").is_null());
  CHECK(foreign_opaque("tokenrelay:what") == Value::object());
}

TEST_CASE("Messages surface: how an answer ends") {
  const std::pair<std::string, std::string> cases[] = {
      {R"(,"finish_reason":"length")", "max_tokens"},
      {R"(,"finish_reason":"tool_calls")", "tool_use"},
      {R"(,"finish_reason":"content_filter")", "refusal"},
      {R"(,"finish_reason":"other","finish_reason_raw":"pause_turn")", "pause_turn"},
      {R"(,"finish_reason":"other","finish_reason_raw":"x")", "end_turn"}};
  for (const auto& [members, reason] : cases)
    CHECK(whole({start, done("completed", members)})["stop_reason"] == reason);
  CHECK(told({start, text("t"), done("cancelled", R"(,"finish_reason":null)")})
            .ends_with("stop 0\nmessage_delta\nmessage_stop\n"));
  const Log failed = {start, text("t"),
                      done("failed", R"(,"error":{"code":"upstream_overloaded","message":"busy","retryable":true})")};
  CHECK(told(failed).ends_with("delta 0 text_delta t\nerror\n"));
  CHECK(wire_of(failed).find(R"("error":{"type":"overloaded_error","message":"busy"})") != std::string::npos);
  CHECK(
      whole({start, call(0, R"({"cut":)"), done("completed", R"(,"finish_reason":"length")")})["content"][0]["input"] ==
      Value{{"INVALID_JSON", R"({"cut":)"}});
}

}  // namespace
}  // namespace tokenrelay::surface
