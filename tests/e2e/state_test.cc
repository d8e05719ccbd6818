// State: one stream, the list, DELETE.
#include <fstream>
#include <set>

#include "tests/support/catch.h"
#include "tests/support/follower.h"
#include "tests/support/model_server.h"
#include "tests/support/relay.h"

using namespace tokenrelay::support;

namespace {

using Strings = std::vector<std::string>;

Response remove(Relay& relay, const std::string& id) {
  return fetch(relay.port(), {.method = "DELETE", .target = "/v1/streams/" + id}, 20s);
}

Strings keys_of(const Json& object) {
  Strings out;
  for (const auto& [key, value] : object.items()) out.push_back(key);
  return out;  // sorted, as nlohmann keeps them
}

bool files_hold(const std::filesystem::path& dir, const std::string& needle) {
  for (const auto& file : std::filesystem::recursive_directory_iterator(dir)) {
    if (file.is_regular_file() && read_text(file.path()).find(needle) != std::string::npos) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("the state of a stream, while it runs and after", "[state]") {
  ModelServer model([](ModelServer::Call& call) {
    call.chunk({{"reasoning_content", "hm"}});
    call.text("Hé");
    call.chunk({{"tool_calls", {{{"index", 0}, {"id", "c"}, {"function", {{"name", "f"}, {"arguments", "{}"}}}}}}});
    if (call.wait_released()) call.finish("tool_calls");
  });
  Relay relay({.upstream = model.upstream()});
  const std::string id = relay.create({{"prompt", "x"}, {"model", "m"}, {"metadata", {{"a", "b"}}}});
  REQUIRE(wait_until([&] { return !relay.state(id).at("tool_calls").empty(); }, 5s));
  Json state = relay.state(id);
  CHECK(keys_of(state) == Strings{"created_at", "error", "finish_reason", "id", "last_event_id", "metadata", "model",
                                  "provider", "reasoning", "status", "text", "tool_calls", "updated_at", "usage"});
  CHECK(state["id"] == id);
  CHECK(state["status"] == "streaming");
  CHECK(state["model"] == "m");
  CHECK(state["provider"] == "openai");
  CHECK(state["text"] == "Hé");
  CHECK(state["reasoning"] == "hm");
  CHECK(state["finish_reason"].is_null());
  CHECK(state["error"].is_null());
  CHECK(state["metadata"] == Json{{"a", "b"}});
  CHECK(parse_event_id(state["last_event_id"].get<std::string>())->seq == 4);
  model.release();
  REQUIRE(relay.wait_status(id, "completed"));
  state = relay.state(id);
  CHECK(state["finish_reason"] == "tool_calls");
  CHECK(state["usage"].at("source") == "provider");
  CHECK(state["tool_calls"].at(0).at("name") == "f");
  CHECK(parse_event_id(state["last_event_id"].get<std::string>())->seq ==
        6);  // "{}" is told at the end: more might have come
  CHECK(fetch(relay.port(), events_request(id, state["last_event_id"])).status == 204);

  const Json before = state;
  relay.kill_now();
  relay.start();
  CHECK(relay.state(id) == before);
}

TEST_CASE("a state's last_event_id can be resumed from", "[state]") {
  ModelServer model([](ModelServer::Call& call) {
    call.text("one ");
    if (call.wait_released()) call.text("two"), call.finish();
  });
  Relay relay({.upstream = model.upstream()});
  const std::string id = relay.create();
  REQUIRE(wait_until([&] { return relay.state(id).at("text") == "one "; }, 5s));
  SseConnection reader(relay.port(), events_request(id, relay.state(id).at("last_event_id")));
  model.release();
  CHECK(transcript_of(reader.rest()).text == "two");
}

TEST_CASE("the list is paged, newest first, without the texts", "[state]") {
  ModelServer model([](ModelServer::Call& call) { call.text("t"), call.finish(); });
  Relay relay({.upstream = model.upstream()});
  CHECK(relay.get("/v1/streams").json() == Json{{"streams", Json::array()}, {"next_cursor", nullptr}});
  Strings ids;
  for (int i = 0; i < 25; ++i)
    ids.insert(ids.begin(), relay.create({{"prompt", "p"}, {"metadata", {{"n", std::to_string(i)}}}}));
  Strings listed;
  std::string cursor;
  int pages = 0;
  do {
    const auto page = relay.get("/v1/streams?limit=10" + (cursor.empty() ? "" : "&cursor=" + cursor));
    REQUIRE(page.status == 200);
    const Json body = page.json();
    for (const auto& s : body.at("streams")) {
      listed.push_back(s.at("id"));
      CHECK_FALSE(s.contains("text"));
      CHECK_FALSE(s.contains("reasoning"));
      CHECK_FALSE(s.contains("tool_calls"));
      CHECK(s.contains("status"));
      CHECK(s.contains("metadata"));
    }
    cursor = body.at("next_cursor").is_null() ? "" : body["next_cursor"].get<std::string>();
    ++pages;
    if (pages == 1) relay.create();  // a newcomer does not shift the pages
  } while (!cursor.empty() && pages < 10);
  CHECK(pages == 3);
  CHECK(listed == ids);
  CHECK(relay.get("/v1/streams?limit=100").json().at("streams").size() == 26);
  for (const std::string& bad : Strings{"limit=0", "limit=101", "limit=-1", "limit=x", "limit=", "limit=1e2",
                                        "cursor=%00", "cursor=nonsense!"}) {
    INFO(bad);
    CHECK(relay.get("/v1/streams?" + bad).status == 400);
  }
}

TEST_CASE("DELETE cancels, waits for done, and from then on there is nothing but the 410", "[state]") {
  ModelServer model([](ModelServer::Call& call) {
    call.text("some text");
    call.wait_closed(20s);
  });
  Relay relay({.upstream = model.upstream()});
  const std::string id = relay.create();
  Follower reader({.port = relay.port(), .stream_id = id});
  REQUIRE(reader.wait_text(9, 5s));
  CHECK(remove(relay, id).status == 204);
  REQUIRE(reader.wait_finished(5s));
  CHECK(reader.transcript().done->at("status") == "cancelled");
  CHECK(reader.problems() == Strings{});
  CHECK(wait_until([&] { return model.open_connections() == 0; }, 5s));

  auto all_gone = [&] {
    CHECK(relay.get("/v1/streams/" + id).status == 410);
    CHECK(relay.get("/v1/streams/" + id + "/events").status == 410);
    CHECK(relay.get("/v1/streams/" + id + "/events", {{"Last-Event-ID", reader.transcript().last_id}}).status == 410);
    CHECK(remove(relay, id).status == 410);
    CHECK(relay.get("/v1/streams").json().at("streams").empty());
    const auto head = fetch(relay.port(), {.method = "HEAD", .target = "/v1/streams/" + id});
    CHECK(head.status == 410);
  };
  all_gone();
  relay.kill_now();
  relay.start();
  all_gone();
  CHECK(remove(relay, "strm_AAAAAAAAAAAAAAAAAAAAAA").status == 404);
}

TEST_CASE("a deleted stream's bytes leave the files", "[state]") {
  const std::string secret = "needle-in-the-answer-4711", asked = "needle-in-the-prompt-4712";
  ModelServer model([&](ModelServer::Call& call) {
    call.text(call.prompt() == asked ? secret : "something else");
    call.finish();
  });
  // Flushing and scrubbing are on the journal's clock; the contract's bound is five minutes at the default of one.
  Relay relay({.upstream = model.upstream(), .config = "[storage]\njournal_flush_ms = 500\n"});
  const std::string id = relay.create({{"prompt", asked}, {"metadata", {{"m", "needle-in-the-metadata"}}}});
  REQUIRE(relay.wait_status(id, "completed"));
  CHECK(files_hold(relay.data(), secret));
  REQUIRE(remove(relay, id).status == 204);
  for (int i = 0; i < 5; ++i) relay.create();
  for (const std::string& needle : Strings{secret, asked, "needle-in-the-metadata"}) {
    INFO(needle);
    CHECK(wait_until([&] { return !files_hold(relay.data(), needle); }, 30s, 200ms));
  }
}

TEST_CASE("a request is not kept longer than its stream runs", "[state]") {
  ModelServer model([](ModelServer::Call& call) {
    call.text("t");
    if (call.wait_released()) call.finish();
  });
  Relay relay({.upstream = model.upstream(), .config = "[storage]\njournal_flush_ms = 500\n"});
  const std::string asked = "needle-in-a-prompt-4713";
  const std::string id = relay.create({{"prompt", asked}});
  const auto held = [&] {  // by the database; the write-ahead file forgets when it is next overwritten
    return read_text(relay.data() / "log.db").find(asked) != std::string::npos;
  };
  REQUIRE(wait_until(held, 30s, 100ms));
  model.release();
  REQUIRE(relay.wait_status(id, "completed"));
  CHECK(wait_until([&] { return !held(); }, 30s, 100ms));
}

TEST_CASE("retention removes what ended long ago, and nothing that lives", "[state]") {
  ModelServer model([](ModelServer::Call& call) {
    call.text("t");
    if (call.prompt() == "live" && !call.wait_released()) return;
    call.finish();
  });
  Relay relay({.upstream = model.upstream(), .config = "[storage]\nretention_ms = 1000\n"});
  const std::string live = relay.create({{"prompt", "live"}}), old = relay.create();
  REQUIRE(relay.wait_status(old, "completed"));
  CHECK(wait_until([&] { return relay.get("/v1/streams/" + old).status == 410; }, 90s, 100ms));
  CHECK(relay.state(live).at("status") == "streaming");
  CHECK(relay.get("/v1/streams/" + old + "/events").status == 410);
}

TEST_CASE("retention by size removes the oldest finished first", "[state]") {
  ModelServer model([](ModelServer::Call& call) {
    for (int i = 0; i < 40; ++i) call.text(std::string(16000, 'r'));
    if (call.prompt() == "live" && !call.wait_released()) return;
    call.finish();
  });
  Relay relay(
      {.upstream = model.upstream(),
       .config = "[storage]\nretention_bytes = 4000000\njournal_flush_ms = 500\njournal_flush_bytes = 1000000\n"});
  const std::string live = relay.create({{"prompt", "live"}});
  Strings ids;
  for (int i = 0; i < 12; ++i) {  // 640 KB each
    ids.push_back(relay.create());
    REQUIRE(relay.wait_status(ids.back(), "completed"));
  }
  CHECK(wait_until([&] { return relay.get("/v1/streams/" + ids.front()).status == 410; }, 90s, 100ms));
  CHECK(relay.get("/v1/streams/" + ids.back()).status == 200);
  CHECK(relay.state(live).at("status") == "streaming");
}
