// The Chat Completions surface's chunks: their order, their shape, their numbers whatever was merged.
#include "service/surface/chat/encoder.h"

#include "tests/relay/relay_fixture.h"
#include "tests/support/catch.h"
#include "tests/surface/wire_events.h"

namespace tokenrelay::surface {
namespace {

using json::Value;
using storage::EventKind;

struct ChatFixture : relay::RelayFixture {
  std::shared_ptr<relay::Stream> answer = stream();

  std::unique_ptr<Encoder> encoder(bool include_usage = false) { return make_chat_encoder(*answer, include_usage); }
  std::string bytes(const Written& log, bool include_usage = false) { return bytes_of(log, *encoder(include_usage)); }
  // All chunks; the last line must be the end mark.
  std::vector<Value> chunks(const Written& log, bool include_usage = false) {
    std::vector<Value> out;
    auto lines = data_of(bytes(log, include_usage));
    REQUIRE(lines.back() == "[DONE]");
    lines.pop_back();
    for (const auto& line : lines) out.push_back(json::parse(line).value());
    return out;
  }
};

Value delta_of(const Value& chunk) {
  return chunk.at("choices").at(0).at("delta");
}

}  // namespace

TEST_CASE("chunks: the role, what is said, the finish reason, the end mark", "[chat_face]") {
  ChatFixture f;
  const auto chunks = f.chunks({started(), reasoning("hm"), text("Hel"), text("lo\n\"🙂\""), completed()});
  REQUIRE(chunks.size() == 5);
  for (const auto& chunk : chunks) {
    CHECK(chunk["id"] == "chatcmpl-" + f.answer->id().substr(5));
    CHECK(chunk["object"] == "chat.completion.chunk");
    CHECK(chunk["model"] == "m");
    CHECK_FALSE(chunk.contains("usage"));
  }
  CHECK(delta_of(chunks[0]) == Value{{"role", "assistant"}, {"content", ""}});
  CHECK(delta_of(chunks[1]) == Value{{"reasoning_content", "hm"}});
  CHECK(delta_of(chunks[2]) == Value{{"content", "Hel"}});
  CHECK(delta_of(chunks[3]) == Value{{"content", "lo\n\"🙂\""}});
  CHECK(chunks[3]["choices"][0]["finish_reason"].is_null());
  CHECK(delta_of(chunks[4]).empty());
  CHECK(chunks[4]["choices"][0]["finish_reason"] == "stop");
}

TEST_CASE("include_usage: null in every chunk, the figures in one of their own", "[chat_face]") {
  ChatFixture f;
  const auto chunks = f.chunks({started(), text("a"), completed()}, true);
  REQUIRE(chunks.size() == 4);
  for (size_t i = 0; i < 3; ++i) CHECK(chunks[i].at("usage").is_null());
  CHECK(chunks[3]["choices"].empty());
  CHECK(chunks[3]["usage"] == Value{{"prompt_tokens", 7}, {"completion_tokens", 5}, {"total_tokens", 12}});
  const auto unknown = f.chunks({started(), done(R"("status":"cancelled")")}, true);
  CHECK(unknown.back().at("usage").is_null());  // never a zero that nobody counted
}

TEST_CASE("a tool call is named once, by its first piece", "[chat_face]") {
  ChatFixture f;
  const auto chunks =
      f.chunks({started(), call(0, ""), call(1, "{"), call(0, "{}"), call(1, "}"), completed("tool_calls")});
  const auto piece = [&](size_t i) { return delta_of(chunks[i]).at("tool_calls").at(0); };
  const Value named = {{"name", "weather"}, {"arguments", ""}};
  CHECK(piece(1) == Value{{"index", 0}, {"id", "call_0"}, {"type", "function"}, {"function", named}});
  CHECK(piece(2)["id"] == "call_1");
  CHECK(piece(3) == Value{{"index", 0}, {"function", Value{{"arguments", "{}"}}}});
  CHECK(piece(4) == Value{{"index", 1}, {"function", Value{{"arguments", "}"}}}});
  CHECK(chunks.back()["choices"][0]["finish_reason"] == "tool_calls");
}

TEST_CASE("Gemini's signatures as Google's own server says them; other opaque things have no place", "[chat_face]") {
  ChatFixture f;
  const auto signature = R"({"provider":"gemini","type":"thought_signature","data":"c2ln","index":0})";
  const auto chunks = f.chunks({started(), call(0, "{}"), event(EventKind::opaque, signature),
                                event(EventKind::opaque, R"({"provider":"anthropic","type":"signature","data":"x"})"),
                                completed("tool_calls")});
  REQUIRE(chunks.size() == 4);
  CHECK(delta_of(chunks[2])["tool_calls"][0]["extra_content"]["google"]["thought_signature"] == "c2ln");
}

TEST_CASE("steer and upstream events are invisible", "[chat_face]") {
  ChatFixture f;
  const auto chunks = f.chunks({started(), text("a"), event(EventKind::steer, R"({"content":"c"})"),
                                event(EventKind::upstream, R"({"attempt":2,"reason":"r"})"), text("b"), completed()});
  CHECK(chunks.size() == 4);
}

TEST_CASE("a call that a steer closed: no arguments are made up in chunks, and it is in no whole answer",
          "[chat_face]") {
  ChatFixture f;
  const Written log = {started(), text("a"),  call(0, "{\"x"), event(EventKind::steer, R"({"content":"c"})"),
                       text("b"), completed()};
  const auto chunks = f.chunks(log);
  REQUIRE(chunks.size() == 5);
  CHECK(delta_of(chunks[2])["tool_calls"][0]["function"]["arguments"] == "{\"x");
  CHECK(delta_of(chunks[3]) == Value{{"content", "b"}});
  Transcript transcript;
  for (const auto& one : log) transcript.add(one.kind, one.payload);
  const auto choice = json::parse(chat_completion(*f.answer, transcript).body).value()["choices"][0];
  CHECK(choice["message"]["content"] == "ab");
  CHECK_FALSE(choice["message"].contains("tool_calls"));
  CHECK(choice["finish_reason"] == "stop");
}

TEST_CASE("a failed answer ends with its error and without an end mark", "[chat_face]") {
  ChatFixture f;
  const auto bytes = f.bytes(
      {started(), text("a"),
       done(R"("status":"failed","error":{"code":"upstream_rate_limited","message":"slow","retryable":true})")});
  const auto lines = data_of(bytes);
  const auto error = json::parse(lines.back()).value().at("error");
  CHECK(error["message"] == "slow");
  CHECK(error["type"] == "rate_limit_error");
  CHECK(error["code"] == "upstream_rate_limited");
  CHECK(bytes.find("[DONE]") == bytes.npos);
}

TEST_CASE("finish reasons that this protocol has no word for", "[chat_face]") {
  Done done;
  CHECK(chat_finish_reason(done) == "stop");
  done.finish_reason = "other";
  CHECK(chat_finish_reason(done) == "stop");
  for (const std::string reason : {"stop", "length", "tool_calls", "content_filter"}) {
    done.finish_reason = reason;
    CHECK(chat_finish_reason(done) == reason);
  }
}

TEST_CASE("chunks are a pure function of the log, and merged deltas carry their last number", "[chat_face]") {
  ChatFixture f;
  const Written apart = {started(), text("a"), text("b"), text("c"), call(0, "{"), call(0, "}"), completed()};
  const Written merged = {started(), text("abc", 3), call(0, "{}", 2), completed()};
  CHECK(f.bytes(apart) == f.bytes(apart));
  const auto one = f.encoder(), other = f.encoder();
  bytes_of(apart, *one);
  const auto bytes = bytes_of(merged, *other);
  CHECK(one->next_number() == other->next_number());
  CHECK(one->seq() == other->seq());
  CHECK(data_of(bytes).at(1) == data_of(f.bytes({started(), text("abc")})).at(1));
  CHECK(bytes.find("id: aaaaaaaaaa-4\n\n") != bytes.npos);  // the merged text's last event
}

TEST_CASE("a whole completion", "[chat_face]") {
  ChatFixture f;
  Transcript transcript;
  for (const auto& one : Written{started(), reasoning("hm"), text("I "), text("look"), call(0, "{}"), completed()}) {
    transcript.add(one.kind, one.payload);
  }
  const auto body = json::parse(chat_completion(*f.answer, transcript).body).value();
  CHECK(body["object"] == "chat.completion");
  const auto& message = body["choices"][0]["message"];
  CHECK(message["content"] == "I look");
  CHECK(message["reasoning_content"] == "hm");
  CHECK(message["tool_calls"][0]["function"]["name"] == "weather");
  CHECK(body["usage"]["total_tokens"] == 12);
}

TEST_CASE("a signature stands on the call that it names", "[chat_face]") {
  ChatFixture f;
  const auto signature = R"({"provider":"gemini","type":"thought_signature","data":"c2ln","index":0})";
  const auto unknown = R"({"provider":"gemini","type":"thought_signature","data":"x","index":7})";
  Transcript transcript;
  for (const auto& one : Written{call(0, "{}"), call(1, "{}"), event(EventKind::opaque, signature),
                                 event(EventKind::opaque, unknown), completed("tool_calls")}) {
    transcript.add(one.kind, one.payload);
  }
  const auto body = json::parse(chat_completion(*f.answer, transcript).body).value();
  const auto& calls = body["choices"][0]["message"]["tool_calls"];
  CHECK(calls[0]["extra_content"]["google"]["thought_signature"] == "c2ln");
  CHECK_FALSE(calls[1].contains("extra_content"));
}

TEST_CASE("a completion without text: null beside tool calls, else empty", "[chat_face]") {
  ChatFixture f;
  Transcript calls, nothing;
  calls.add(EventKind::tool_call, call(0, "{}").payload);
  const auto content = [&](const Transcript& transcript) {
    return json::parse(chat_completion(*f.answer, transcript).body).value()["choices"][0]["message"]["content"];
  };
  CHECK(content(calls).is_null());
  CHECK(content(nothing) == "");
}

}  // namespace tokenrelay::surface
