#include "service/relay/event_codec.h"

#include <random>

#include "service/json/parse.h"
#include "tests/support/catch.h"

using namespace tokenrelay;
using namespace tokenrelay::relay;

namespace {

std::string data_of(EventKind kind, std::string_view payload) {
  std::string out;
  append_data(out, kind, payload);
  return out;
}

}  // namespace

TEST_CASE("a tool call's piece comes back as it went in", "[event_codec]") {
  const uint64_t index = GENERATE(as<uint64_t>{}, 0, 1, 127, 128, 16384, uint64_t{1} << 40);
  const std::string name(GENERATE(as<size_t>{}, 0, 1, 127, 128, 4096), 'n');
  const std::string payload = encode_tool_call({index, "call_1", name, "{\"a\":"});
  const auto piece = decode_tool_call(payload);
  REQUIRE(piece);
  CHECK(piece->index == index);
  CHECK(piece->id == "call_1");
  CHECK(piece->name == name);
  CHECK(piece->arguments == "{\"a\":");
}

TEST_CASE("a corrupt tool call is refused, never read beyond its end", "[event_codec]") {
  CHECK_FALSE(decode_tool_call(""));
  CHECK_FALSE(decode_tool_call(std::string_view("\x00", 1)));  // no id
  CHECK_FALSE(
      decode_tool_call(std::string_view("\x00\x05"
                                        "abc",
                                        5)));              // an id longer than the payload
  CHECK_FALSE(decode_tool_call("\x80"));                   // a number without its end
  CHECK_FALSE(decode_tool_call(std::string(12, '\xff')));  // a number without end
  CHECK_FALSE(decode_tool_call(std::string_view("\x00\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 10)));  // a size near 2^63
  CHECK(data_of(EventKind::tool_call, "\x80") == R"({"index":0,"id":"","name":"","arguments_delta":""})");
}

TEST_CASE("random bytes as a tool call: decoded within bounds, valid JSON on the wire", "[event_codec]") {
  const unsigned seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (int i = 0; i < 1'000; ++i) {
    std::string bytes(random() % 24, '\0');
    for (char& c : bytes) c = static_cast<char>(random() % 4 ? random() % 8 : random());
    if (const auto piece = decode_tool_call(bytes)) {
      REQUIRE(piece->id.size() + piece->name.size() + piece->arguments.size() < bytes.size());
    }
    const std::string data = data_of(EventKind::tool_call, bytes);
    REQUIRE(json::parse(data));
    REQUIRE(data.find('\n') == std::string::npos);
  }
}

TEST_CASE("each kind as data on the wire", "[event_codec]") {
  CHECK(data_of(EventKind::text, "a\n\"\xe2\x82\xac") == "{\"delta\":\"a\\n\\\"\xe2\x82\xac\"}");
  CHECK(data_of(EventKind::reasoning, "") == R"({"delta":""})");
  CHECK(data_of(EventKind::tool_call, encode_tool_call({3, "i", "n", "{}"})) ==
        R"({"index":3,"id":"i","name":"n","arguments_delta":"{}"})");
  for (const auto kind : {EventKind::start, EventKind::steer, EventKind::upstream, EventKind::done}) {
    CHECK(data_of(kind, R"({"as":"stored"})") == R"({"as":"stored"})");
  }
}

TEST_CASE("events have the contract's names, and never EventSource's own", "[event_codec]") {
  CHECK(event_name(EventKind::text).empty());
  CHECK(event_name(EventKind::start) == "start");
  CHECK(event_name(EventKind::reasoning) == "reasoning");
  CHECK(event_name(EventKind::tool_call) == "tool_call");
  CHECK(event_name(EventKind::steer) == "steer");
  CHECK(event_name(EventKind::upstream) == "upstream");
  CHECK(event_name(EventKind::done) == "done");
}

TEST_CASE("deltas of one kind, and of one tool call, may be merged", "[event_codec]") {
  const auto call = [](uint64_t index, const char* id = "i", const char* name = "n") {
    return encode_tool_call({index, id, name, "x"});
  };
  CHECK(mergeable(EventKind::text, "a", "b"));
  CHECK(mergeable(EventKind::reasoning, "a", "b"));
  CHECK(mergeable(EventKind::tool_call, call(1), call(1)));
  CHECK_FALSE(mergeable(EventKind::tool_call, call(1), call(2)));
  CHECK_FALSE(mergeable(EventKind::tool_call, call(1), call(1, "j")));
  CHECK_FALSE(mergeable(EventKind::tool_call, call(1), call(1, "i", "m")));
  CHECK_FALSE(mergeable(EventKind::tool_call, "\x80", "\x80"));  // corrupt
  for (const auto kind : {EventKind::start, EventKind::steer, EventKind::upstream, EventKind::done})
    CHECK_FALSE(mergeable(kind, "{}", "{}"));
  CHECK(merge_part(EventKind::text, "abc") == "abc");
  CHECK(merge_part(EventKind::tool_call, call(1)) == "x");
  CHECK(merge_part(EventKind::tool_call, "\x80").empty());
}
