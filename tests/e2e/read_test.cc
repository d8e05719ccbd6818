// Read: the head, the verdicts, the ends of GET /v1/streams/{id}/events.
#include "tests/support/catch.h"
#include "tests/support/follower.h"
#include "tests/support/model_server.h"
#include "tests/support/relay.h"

using namespace tokenrelay::support;

namespace {

using Strings = std::vector<std::string>;

ModelServer::Answer words(int count) {
  return [count](ModelServer::Call& call) {
    for (int i = 1; i <= count; ++i) call.text("w" + std::to_string(i) + " ");
    call.finish();
  };
}

std::string words_text(int from, int count) {
  std::string out;
  for (int i = from; i <= count; ++i) out += "w" + std::to_string(i) + " ";
  return out;
}

// What a reader with this cursor gets of a finished stream.
std::vector<SseEvent> read_all(Relay& relay, const std::string& id, const std::string& cursor = "",
                               const std::string& query = "") {
  SseConnection reader(relay.port(), events_request(id, cursor, query));
  auto events = reader.rest();
  CHECK(reader.problems() == Strings{});
  CHECK(reader.end() == BodyEnd::clean);
  return events;
}

}  // namespace

TEST_CASE("the head is what the contract says", "[read]") {
  ModelServer model([](ModelServer::Call& call) { call.wait_released(); });
  Relay relay({.upstream = model.upstream()});
  const std::string id = relay.create();
  SseConnection reader(relay.port(), events_request(id));
  const auto head = reader.head();  // flushed at once: the model has said nothing, and a heartbeat is far
  REQUIRE(head);
  CHECK(head->status == 200);
  CHECK(head->get("Content-Type") == "text/event-stream; charset=utf-8");
  CHECK(head->get("Cache-Control") == "no-store, no-transform");
  CHECK(head->get("X-Accel-Buffering") == "no");
  CHECK(head->get("Request-Id"));
  CHECK(head->get("Transfer-Encoding") == "chunked");
  CHECK(head->count("Content-Length") == 0);
  CHECK(head->count("Content-Encoding") == 0);
  CHECK(head->get("Connection").value_or("keep-alive") != "close");
  for (const auto* name : {"Content-Type", "Cache-Control", "Request-Id", "Transfer-Encoding"})
    CHECK(head->count(name) == 1);
  const auto first = reader.next();
  REQUIRE(first);
  CHECK(reader.parser().retry_ms() == 1000);
  CHECK(first->json() == Json{{"stream", id}, {"verdict", "start"}, {"status", "streaming"}});
}

TEST_CASE("a client that asks to close is never told Connection: close", "[read]") {
  ModelServer model(words(3));
  Relay relay({.upstream = model.upstream()});
  const std::string id = relay.create();
  auto request = events_request(id);
  request.fields.emplace_back("Connection", "close");
  SseConnection reader(relay.port(), request);
  const auto events = reader.rest();
  REQUIRE(reader.head());
  CHECK(reader.head()->get("Connection").value_or("") != "close");
  CHECK(transcript_of(events).text == words_text(1, 3));
  CHECK(reader.end() == BodyEnd::clean);
}

TEST_CASE("HEAD answers the headers", "[read]") {
  ModelServer model([](ModelServer::Call& call) { call.wait_released(); });
  Relay relay({.upstream = model.upstream()});
  const std::string id = relay.create();
  auto request = events_request(id);
  request.method = "HEAD";
  const auto answer = fetch(relay.port(), request);
  CHECK(answer.status == 200);
  CHECK(answer.head.get("Content-Type") == "text/event-stream; charset=utf-8");
  CHECK(answer.head.get("Cache-Control") == "no-store, no-transform");
  request.target = "/v1/streams/strm_AAAAAAAAAAAAAAAAAAAAAA/events";
  CHECK(fetch(relay.port(), request).status == 404);
}

TEST_CASE("HTTP/1.0 gets a close-delimited body under the same rules", "[read]") {
  ModelServer model([](ModelServer::Call& call) {
    call.text("one ");
    if (call.wait_released()) call.text("two"), call.finish();
  });
  Relay relay({.upstream = model.upstream()});
  const std::string id = relay.create();
  auto request = events_request(id);
  request.version = "HTTP/1.0";
  SECTION("a clean end after done") {
    SseConnection reader(relay.port(), request);
    REQUIRE(reader.head());
    CHECK(reader.head()->count("Transfer-Encoding") == 0);
    CHECK(reader.head()->count("Content-Length") == 0);
    model.release();
    CHECK(transcript_of(reader.rest()).text == "one two");
    CHECK(reader.end() == BodyEnd::clean);  // FIN
    CHECK(reader.problems() == Strings{});
  }
  SECTION("every other end is a reset, even that of a killed relay") {
    SseConnection reader(relay.port(), request), modern(relay.port(), events_request(id));
    for (auto* r : {&reader, &modern}) {
      for (auto event = r->next(); event && event->name != "message";) event = r->next();
    }
    relay.kill_now();
    CHECK(reader.rest().empty());
    CHECK(reader.end() == BodyEnd::reset);  // a FIN would be a clean end here
    CHECK(modern.rest().empty());
    CHECK(modern.end() == BodyEnd::reset);
  }
}

TEST_CASE("verdicts", "[read]") {
  ModelServer model(words(6));
  Relay relay({.upstream = model.upstream()});
  const std::string id = relay.create(), other = relay.create();
  REQUIRE(relay.wait_status(id, "completed"));
  REQUIRE(relay.wait_status(other, "completed"));
  const auto all = read_all(relay, id, "", "coalesce=0");
  const auto foreign = read_all(relay, other, "", "coalesce=0");
  REQUIRE(all.size() == 1 + 1 + 6 + 1);
  const std::string run = parse_event_id(*all[1].id)->run;
  CHECK(all[0].json() == Json{{"stream", id}, {"verdict", "start"}, {"status", "completed"}});

  SECTION("exact: everything after the cursor, once") {
    const auto rest = read_all(relay, id, *all[4].id, "coalesce=0");
    CHECK(rest[0].json().at("verdict") == "exact");
    REQUIRE(rest.size() == all.size() - 4);
    for (size_t i = 1; i < rest.size(); ++i) {
      CHECK(rest[i].id == all[i + 4].id);
      CHECK(rest[i].data == all[i + 4].data);
    }
  }
  SECTION("another stream's id, an unknown run, beyond the durable end, zero: reset, from the first event") {
    for (const std::string& cursor :
         Strings{*foreign[3].id, "zzzzzzzzzz-1", run + "-999", run + "-18446744073709551615"}) {
      INFO(cursor);
      const auto rest = read_all(relay, id, cursor);
      REQUIRE(!rest.empty());
      CHECK(rest[0].json().at("verdict") == "reset");
      CHECK(transcript_of(rest).text == words_text(1, 6));
      CHECK(rest[1].name == "start");
    }
  }
  SECTION("malformed: 400 with a problem body") {
    for (const std::string& cursor :
         Strings{"x", "57", run, run + "-", run + "-x", run + "-1 2", run + "--1", "-1",
                 run + "-99999999999999999999999", "Q7M2K9XWAB-1", "q7m2k9xwa-1", "q7m2k9xwabc-1", run + "-1,2"}) {
      INFO(cursor);
      const auto answer = fetch(relay.port(), events_request(id, cursor));
      CHECK(answer.status == 400);
      CHECK_FALSE(answer.json().value("code", "").empty());
    }
  }
  SECTION("an empty header or query is no cursor") {
    auto request = events_request(id, "", "last_event_id=");
    request.fields.emplace_back("Last-Event-ID", "");
    SseConnection reader(relay.port(), request);
    CHECK(reader.rest().at(0).json().at("verdict") == "start");
  }
  SECTION("the header wins over the query") {
    CHECK(transcript_of(read_all(relay, id, "", "last_event_id=" + *all[4].id)).text == words_text(4, 6));
    CHECK(transcript_of(read_all(relay, id, *all[6].id, "last_event_id=" + *all[4].id)).text == words_text(6, 6));
    CHECK(transcript_of(read_all(relay, id, *all[6].id, "last_event_id=garbage")).text == words_text(6, 6));
    CHECK(transcript_of(read_all(relay, id, "", "last_event_id=" + run + "%2D4")).text == words_text(4, 6));
  }
  SECTION("at the terminal event: 204") {
    const auto answer = fetch(relay.port(), events_request(id, *all.back().id));
    CHECK(answer.status == 204);
    CHECK(answer.body.empty());
    CHECK(fetch(relay.port(), events_request(id, "", "last_event_id=" + *all.back().id)).status == 204);
    auto head = events_request(id, *all.back().id);
    head.method = "HEAD";
    CHECK(fetch(relay.port(), head).status == 204);
  }
}

TEST_CASE("a cursor beyond the durable end of a running stream is a reset", "[read]") {
  ModelServer model([](ModelServer::Call& call) {
    call.text("one ");
    if (call.wait_released()) call.text("two"), call.finish();
  });
  Relay relay({.upstream = model.upstream()});
  const std::string id = relay.create();
  std::string last;
  {
    SseConnection reader(relay.port(), events_request(id));
    while (auto event = reader.next()) {
      if (event->id) last = *event->id;
      if (event->name == "message") break;
    }
  }
  const auto at = parse_event_id(last);
  REQUIRE(at);
  SseConnection ahead(relay.port(), events_request(id, at->run + "-" + std::to_string(at->seq + 1)));
  SseConnection level(relay.port(), events_request(id, last));
  CHECK(ahead.next()->json().at("verdict") == "reset");
  CHECK(level.next()->json().at("verdict") == "exact");
  model.release();
  CHECK(transcript_of(ahead.rest()).text == "one two");
  CHECK(transcript_of(level.rest()).text == "two");
}

TEST_CASE("unknown, then deleted", "[read]") {
  ModelServer model(words(2));
  Relay relay({.upstream = model.upstream()});
  for (const std::string& target :
       Strings{"/v1/streams/strm_AAAAAAAAAAAAAAAAAAAAAA/events", "/v1/streams/nonsense/events",
               "/v1/streams/a%2Fevents", "/v1/streams/../events"}) {
    INFO(target);
    const auto answer = relay.get(target);
    CHECK(answer.status == 404);
    CHECK(answer.head.get("Content-Type").value_or("").starts_with("application/problem+json"));
  }
  const std::string id = relay.create();
  REQUIRE(relay.wait_status(id, "completed"));
  const auto all = read_all(relay, id);
  REQUIRE(fetch(relay.port(), {.method = "DELETE", .target = "/v1/streams/" + id}).status == 204);
  CHECK(fetch(relay.port(), events_request(id)).status == 410);
  CHECK(fetch(relay.port(), events_request(id, *all[1].id)).status == 410);
  CHECK(fetch(relay.port(), events_request(id, *all.back().id)).status == 410);
}

TEST_CASE("done leaves in one write with the last chunk", "[read]") {
  ModelServer model([](ModelServer::Call& call) {
    call.text("x");
    if (call.wait_released()) call.finish();
  });
  Relay relay({.upstream = model.upstream()});
  for (int round = 0; round < 20; ++round) {
    const std::string id = relay.create();
    Socket socket = Socket::connect(relay.port());
    REQUIRE(socket.send_all(bytes_of(events_request(id), relay.port())));
    std::string all;
    while (all.find("\"x\"") == std::string::npos) REQUIRE(socket.receive(all, 10s) == Got::bytes);
    model.release();
    for (;;) {
      std::string piece;
      REQUIRE(socket.receive(piece, 10s) == Got::bytes);
      if (piece.find("event: done") == std::string::npos) continue;
      CHECK(piece.ends_with("\r\n0\r\n\r\n"));
      break;
    }
  }
}

TEST_CASE("the connection lives on after a clean end", "[read]") {
  ModelServer model(words(2));
  Relay relay({.upstream = model.upstream()});
  const std::string id = relay.create();
  HttpConnection connection(relay.port());
  for (int i = 0; i < 3; ++i) {
    connection.send(events_request(id));
    const auto head = connection.read_head();
    REQUIRE(head);
    CHECK(head->status == 200);
    CHECK(connection.read_body().find("event: done") != std::string::npos);
    CHECK(connection.end() == BodyEnd::clean);
  }
}
