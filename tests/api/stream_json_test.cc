#include "service/api/stream_json.h"

#include "service/relay/start_event.h"
#include "tests/relay/relay_fixture.h"

using namespace tokenrelay;
using namespace tokenrelay::api;
using relay::RelayFixture;

namespace {

std::vector<std::string> keys(const json::Value& object) {
  std::vector<std::string> out;
  for (const auto& [name, value] : object.items()) out.push_back(name);
  return out;
}

}  // namespace

TEST_CASE("the answer to a creation", "[stream_json]") {
  RelayFixture f;
  const auto stream = f.stream();
  const auto made = created_json(*stream);
  CHECK(keys(made) == std::vector<std::string>{"id", "status", "model", "created_at", "events_url", "control_url"});
  CHECK(made["id"] == stream->id());
  CHECK(made["events_url"] == "/v1/streams/" + stream->id() + "/events");
  CHECK(made["control_url"] == "/v1/streams/" + stream->id() + "/ws");
  CHECK(made["created_at"] == relay::rfc3339(stream->row().created_ms));
}

TEST_CASE("the whole state, while it runs and afterwards", "[stream_json]") {
  RelayFixture f;
  auto what = f.what();
  what.metadata = R"({"user":"u"})";
  const auto stream = f.create(what)->stream;
  relay::StreamText transcript;
  transcript.text = "Hel";
  transcript.tool_calls.push_back({0, "i", "n", "{}"});
  transcript.last_seq = 1;
  auto state = state_json(*stream, transcript);
  CHECK(keys(state) == std::vector<std::string>{"id", "status", "model", "provider", "created_at", "updated_at",
                                                "last_event_id", "text", "reasoning", "tool_calls", "finish_reason",
                                                "usage", "error", "metadata"});
  CHECK(state["status"] == "streaming");
  CHECK(state["last_event_id"] == stream->runs()[0].token + "-1");
  CHECK(state["tool_calls"][0]["arguments"] == "{}");
  CHECK(state["finish_reason"].is_null());
  CHECK(state["usage"].is_null());
  CHECK(state["error"].is_null());
  CHECK(state["metadata"]["user"] == "u");
  f.model->last().complete();
  f.time.settle();
  CHECK(state_json(*stream, transcript)["usage"].is_null());  // its end is not durable yet
  f.commit();
  state = state_json(*stream, transcript);
  CHECK(state["status"] == "completed");
  CHECK(state["finish_reason"] == "stop");
  CHECK(state["usage"]["source"] == "unknown");
}

TEST_CASE("a row of the list: from the live stream, or from the log, and without the text", "[stream_json]") {
  RelayFixture f;
  const auto stream = f.stream();
  f.say_and_commit("x");
  auto row = f.stored(*stream).row;
  row.last_seq = 1;  // the log's row is older than the stream
  auto listed = list_row_json(ListRow(row, stream.get()));
  CHECK(listed["status"] == "streaming");
  CHECK(listed["last_event_id"] == stream->runs()[0].token + "-2");
  for (const char* absent : {"text", "reasoning", "tool_calls"}) CHECK_FALSE(listed.contains(absent));
  f.model->last().fail(upstream::ErrorCode::upstream_auth, false);
  f.commit();
  listed = list_row_json(ListRow(f.stored(*stream).row, nullptr));
  CHECK(listed["status"] == "failed");
  CHECK(listed["error"]["code"] == "upstream_auth");
  CHECK(listed["finish_reason"].is_null());
}
