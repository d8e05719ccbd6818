// Drain and reload: SIGTERM, SIGINT, a second one, SIGHUP.
#include <signal.h>
#include <sys/stat.h>

#include "tests/support/catch.h"
#include "tests/support/follower.h"
#include "tests/support/model_server.h"
#include "tests/support/relay.h"

using namespace tokenrelay::support;

namespace {
using Strings = std::vector<std::string>;
const char* const long_drain = "drain_timeout_ms = 600000\n";  // what ends sooner did not wait for it
}  // namespace

TEST_CASE("SIGTERM lets generations finish, serves their readers, and ends with 0", "[drain]") {
  ModelServer model([](ModelServer::Call& call) {
    call.text("one ");
    if (call.wait_released()) call.text("two"), call.finish();
  });
  Relay relay({.upstream = model.upstream()});
  const std::string id = relay.create();
  Follower reader({.port = relay.port(), .stream_id = id, .reconnect = false});
  REQUIRE(reader.wait_text(4, 20s));
  HttpConnection kept(relay.port());  // open before the drain began
  relay.process().signal(SIGTERM);
  REQUIRE(wait_until([&] { return relay.get("/readyz").status != 200; }, 20s));
  CHECK(relay.get("/readyz").status == 503);
  CHECK(relay.get("/healthz").status == 200);
  const auto refused = relay.post("/v1/streams", {{"prompt", "x"}});
  CHECK(refused.status == 503);
  CHECK(refused.json().value("code", "") == "draining");
  CHECK(refused.head.get("Retry-After"));
  SseConnection late(relay.port(), events_request(id));  // readers are served meanwhile
  CHECK(late.next()->json().at("verdict") == "start");
  CHECK(relay.process().running());
  model.release();
  const auto events = late.rest();
  CHECK(transcript_of(events).text == "one two");
  CHECK(transcript_of(events).done->at("status") == "completed");
  CHECK(late.end() == BodyEnd::clean);
  REQUIRE(reader.wait_finished(20s));
  CHECK(relay.process().wait(10s) == 0);
}

TEST_CASE("at the drain's end what still runs is interrupted, durably, and readers get it", "[drain]") {
  ModelServer model([](ModelServer::Call& call) {
    call.text("one ");
    call.wait_closed(60s);
  });
  Relay relay({.upstream = model.upstream(), .config = "drain_timeout_ms = 500\n"});
  const std::string id = relay.create(), unread = relay.create();
  Follower reader({.port = relay.port(), .stream_id = id, .reconnect = false});
  REQUIRE(reader.wait_text(4, 20s));
  const auto began = Clock::now();
  const int number = GENERATE(SIGTERM, SIGINT);
  relay.process().signal(number);
  REQUIRE(relay.process().wait(20s) == 0);  // the model would hold its call for longer
  CHECK(ms_since(began) >= 450);
  REQUIRE(reader.wait_finished(20s));
  CHECK(reader.problems() == Strings{});
  const auto done = reader.transcript().done;
  REQUIRE(done);
  CHECK(done->at("status") == "interrupted");
  CHECK(done->at("finish_reason").is_null());
  CHECK(wait_until([&] { return model.open_connections() == 0; }, 20s));
  const auto seen = reader.events();
  relay.start();
  CHECK(relay.state(unread).at("status") == "interrupted");
  SseConnection again(relay.port(), events_request(id, "", "coalesce=0"));
  const auto after = again.rest();
  CHECK(after.back().data == seen.back().data);
  CHECK(after.back().id == seen.back().id);
}

TEST_CASE("an idle relay drains at once, and its port refuses", "[drain]") {
  Relay relay({.config = long_drain});
  HttpConnection idle(relay.port());
  REQUIRE(idle.open());
  CHECK(relay.stop(30s) == 0);
  CHECK_FALSE(Socket::connect(relay.port()).open());
}

TEST_CASE("half a request, on either port, is no reason to end in anything but 0", "[drain]") {
  Relay relay({.config = "admin_listen = \"127.0.0.1:0\"\n"});
  const std::string half = GENERATE(std::string("GET /heal"),
                                    std::string("POST /v1/streams HTTP/1.1\r\nHost: localhost\r\n"
                                                "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"pro"));
  const std::string marker = "metrics and health on http://127.0.0.1:";
  REQUIRE(wait_until([&] { return relay.log().find(marker) != std::string::npos; }, 20s));
  const auto admin_port =
      static_cast<uint16_t>(std::stoi(relay.log().substr(relay.log().find(marker) + marker.size())));
  HttpConnection open(relay.port()), open_admin(admin_port);
  REQUIRE(open.send(half));
  REQUIRE(open_admin.send("GET /met"));
  REQUIRE(relay.get("/v1/streams").status == 200);  // so the loop has read what came before
  CHECK(relay.stop(10s) == 0);
}

TEST_CASE("a second signal exits at once", "[drain]") {
  ModelServer model([](ModelServer::Call& call) {
    call.text("x");
    call.wait_closed(10min);
  });
  Relay relay({.upstream = model.upstream(), .config = long_drain});
  const std::string id = relay.create();
  Follower reader({.port = relay.port(), .stream_id = id, .reconnect = false});
  REQUIRE(reader.wait_text(1, 20s));
  relay.process().signal(SIGTERM);
  REQUIRE(wait_until([&] { return relay.get("/readyz").status == 503; }, 20s));
  relay.process().signal(SIGTERM);
  REQUIRE(relay.process().wait(30s));
  reader.stop();
  CHECK_FALSE(reader.finished());
  relay.start();
  CHECK(relay.state(id).at("status") == "interrupted");
}

TEST_CASE("SIGHUP takes a good file for what starts afterwards", "[drain]") {
  ModelServer first([](ModelServer::Call& call) {
    call.text("first ");
    if (call.wait_released()) call.text("still first"), call.finish();
  });
  ModelServer second([](ModelServer::Call& call) { call.text("second"), call.finish(); });
  auto config = [](const ModelServer& model, const std::string& more = "") {
    return more + "[[upstream]]\nkind = \"openai\"\nbase_url = \"" + model.base_url() + "\"\n";
  };
  Relay relay({.config = config(first)});
  const std::string before = relay.create();
  REQUIRE(first.wait_calls(1));
  CHECK(relay.get("/v1/streams", {{"Host", "new.example"}}).status == 421);
  write_text(relay.config_file(),
             config(second, "cors_origins = [\"https://new.example\"]\nhosts = [\"new.example\"]\n"));
  relay.process().signal(SIGHUP);
  REQUIRE(wait_until(
      [&] {
        return relay.get("/healthz", {{"Origin", "https://new.example"}}).head.count("Access-Control-Allow-Origin") ==
               1;
      },
      5s));
  CHECK(relay.get("/v1/streams", {{"Host", "new.example"}}).status == 200);
  const std::string after = relay.create();
  REQUIRE(relay.wait_status(after, "completed"));
  CHECK(relay.state(after).at("text") == "second");
  first.release();
  REQUIRE(relay.wait_status(before, "completed"));
  CHECK(relay.state(before).at("text") == "first still first");

  SECTION("a bad file is reported and the old one stays") {
    const auto logged = relay.log().size();
    write_text(relay.config_file(), "no_such_key = 1\n");
    relay.process().signal(SIGHUP);
    REQUIRE(wait_until([&] { return relay.log().find("no_such_key", logged) != std::string::npos; }, 20s));
    CHECK(relay.process().running());
    const std::string id = relay.create();
    REQUIRE(relay.wait_status(id, "completed"));
    CHECK(relay.state(id).at("text") == "second");
  }
  SECTION("what needs a restart is logged as that") {
    const auto logged = relay.log().size();
    write_text(relay.config_file(), config(second,
                                           "[storage]\nsync = \"normal\"\njournal_flush_ms = 1234\n"
                                           "[limits]\nconnections = 77\nheartbeat_ms = 4321\n"));
    relay.process().signal(SIGHUP);
    REQUIRE(wait_until([&] { return relay.log().find("configuration reloaded", logged) != std::string::npos; }, 20s));
    for (const char* key : {"storage.sync", "storage.journal_flush_ms", "limits.connections"}) {
      CHECK(relay.log().find(std::string(key) + " has changed: restart the relay to apply it", logged) !=
            std::string::npos);
    }
    CHECK(relay.log().find("heartbeat_ms", logged) == std::string::npos);
    CHECK(relay.get("/healthz").status == 200);
  }
}

TEST_CASE("SIGHUP with a file that hangs holds up nobody", "[drain]") {
  Relay relay({.config = "cors_origins = [\"https://old.example\"]\n"});
  std::filesystem::remove(relay.config_file());
  REQUIRE(mkfifo(relay.config_file().c_str(), 0600) == 0);  // a read of it waits until it is written to
  for (int signal = 0; signal < 2; ++signal) {
    relay.process().signal(SIGHUP);
    for (int i = 0; i < 20; ++i) REQUIRE(relay.get("/healthz").status == 200);  // so that it has been taken
  }
  CHECK(relay.log().find("configuration reloaded") == std::string::npos);
  const auto applied = [&relay](const std::string& origin) {
    return relay.get("/healthz", {{"Origin", origin}}).head.count("Access-Control-Allow-Origin") == 1;
  };
  write_text(relay.config_file(), "cors_origins = [\"https://first.example\"]\n");
  REQUIRE(wait_until([&] { return applied("https://first.example"); }, 20s));
  write_text(relay.config_file(), "cors_origins = [\"https://second.example\"]\n");  // the signal that came meanwhile
  CHECK(wait_until([&] { return applied("https://second.example"); }, 20s));
}

TEST_CASE("SIGHUP keeps the limit of an upstream's generations", "[drain]") {
  ModelServer model([](ModelServer::Call& call) {
    call.text("x");
    if (call.wait_released()) call.finish();
  });
  const auto config = [&model](int most) {
    return "[[upstream]]\nkind = \"openai\"\nbase_url = \"" + model.base_url() +
           "\"\nmax_concurrent = " + std::to_string(most) + "\n";
  };
  Relay relay({.config = config(1)});
  relay.create();
  REQUIRE(model.wait_calls(1));
  const auto reload = [&](int most) {
    const auto logged = relay.log().size();
    write_text(relay.config_file(), config(most));
    relay.process().signal(SIGHUP);
    REQUIRE(wait_until([&] { return relay.log().find("configuration reloaded", logged) != std::string::npos; }, 20s));
  };
  reload(1);
  const std::string waits = relay.create();
  CHECK(relay.state(waits).at("status") == "queued");
  CHECK(model.calls() == 1);
  reload(2);
  CHECK(model.wait_calls(2));
  model.release(2);
  CHECK(relay.wait_status(waits, "completed"));
}
