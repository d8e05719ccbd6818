// Behind nginx: the sample in deploy/nginx, and nginx's bare defaults (HTTP/1.0 to its upstream).
#include "tests/support/catch.h"
#include "tests/support/follower.h"
#include "tests/support/model_server.h"
#include "tests/support/relay.h"

using namespace tokenrelay::support;

namespace {

using Strings = std::vector<std::string>;

struct Nginx {
  TempDir dir;
  uint16_t port = unused_port();
  std::unique_ptr<Process> process;

  // `http` is what goes into the http block; @LISTEN@ and @RELAY@ become addresses.
  Nginx(std::string http, uint16_t relay_port) {
    auto replace = [&http](const std::string& what, const std::string& with) {
      for (size_t at; (at = http.find(what)) != std::string::npos;) http.replace(at, what.size(), with);
    };
    replace("@LISTEN@", "127.0.0.1:" + std::to_string(port));
    replace("@RELAY@", "127.0.0.1:" + std::to_string(relay_port));
    const std::string path = dir.path().string();
    write_text(dir / "nginx.conf",
               "daemon off;\nmaster_process off;\npid " + path + "/pid;\nerror_log " + path +
                   "/error.log;\nevents { worker_connections 256; }\nhttp {\naccess_log off;\nclient_body_temp_path " +
                   path + "/b;\nproxy_temp_path " + path + "/p;\nfastcgi_temp_path " + path + "/f;\nuwsgi_temp_path " +
                   path + "/u;\nscgi_temp_path " + path + "/s;\n" + http + "\n}\n");
    process = std::make_unique<Process>(
        ProcessOptions{.argv = {"nginx", "-e", path + "/error.log", "-p", path, "-c", path + "/nginx.conf"},
                       .stdout_file = dir / "out",
                       .stderr_file = dir / "err"});
    if (!wait_until([&] { return Socket::connect(port).open() || !process->running(); }, 10s) || !process->running()) {
      FAIL("nginx did not start: " << read_text(dir / "err") << read_text(dir / "error.log") << http);
    }
  }
};

const std::string bare_server = "server { listen @LISTEN@; location / { proxy_pass http://@RELAY@; } }";

// The sample as shipped, with our addresses for its own.
std::string sample() {
  std::string text;
  for (const auto& file : std::filesystem::directory_iterator(TOKENRELAY_SOURCE_DIR "/deploy/nginx")) {
    if (file.path().extension() == ".conf") text += read_text(file.path());
  }
  REQUIRE_FALSE(text.empty());
  std::string out;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const auto first = line.find_first_not_of(' ');
    if (first != std::string::npos && line.substr(first).starts_with("listen ")) {
      if (line.find("[::]") != std::string::npos) continue;
      line = "listen @LISTEN@;";
    }
    if (const auto at = line.find("127.0.0.1:8080"); at != std::string::npos) line.replace(at, 14, "@RELAY@");
    out += line + "\n";
  }
  return out;
}

}  // namespace

TEST_CASE("a stream with a cut and a resume passes through nginx", "[proxy]") {
  ModelServer model([](ModelServer::Call& call) {
    for (int i = 0; i < 60 && (i == 20 ? call.wait_released() : call.pause(20ms)); ++i)
      call.text("t" + std::to_string(i) + "é ");
    call.finish();
  });
  const bool bare = GENERATE(true, false);
  INFO((bare ? "nginx's defaults" : "deploy/nginx"));
  Relay relay({.upstream = model.upstream(), .config = "[limits]\nheartbeat_ms = 200\n"});
  Nginx nginx(bare ? bare_server : sample(), relay.port());
  const Fields host = {{"Host", "127.0.0.1:" + std::to_string(nginx.port)}};
  const auto made = fetch(nginx.port, {.method = "POST",
                                       .target = "/v1/streams",
                                       .fields = {{"Content-Type", "application/json"}},
                                       .body = R"({"prompt":"x"})"});
  INFO(made.body);
  REQUIRE(made.status == 201);
  const std::string id = made.json().at("id");
  Transcript pieced;
  {
    SseConnection first(nginx.port, events_request(id));
    int deltas = 0;
    while (deltas < 10) {
      const auto event = first.next();
      REQUIRE(event);
      pieced.add(*event);
      deltas += event->name == "message" ? 1 : 0;
    }
    CHECK(relay.state(id).at("status") == "streaming");  // not buffered: the model waits with the rest
    CHECK(first.problems() == Strings{});
    first.http().socket().reset();
    model.release();
  }
  SseConnection second(nginx.port, events_request(id, pieced.last_id));
  const auto events = second.rest();
  CHECK(second.problems() == Strings{});
  CHECK(second.end() == BodyEnd::clean);
  REQUIRE(!events.empty());
  CHECK(events[0].json().at("verdict") == "exact");
  for (const auto& e : events) pieced.add(e);
  CHECK(relay.state(id).at("text") == pieced.text);
  CHECK(pieced.text.size() > 60 * 4);
  CHECK(fetch(nginx.port, events_request(id, pieced.last_id)).status == 204);
}

TEST_CASE("a cut behind nginx never looks like a clean end", "[proxy]") {
  ModelServer model([](ModelServer::Call& call) {
    call.text("one ");
    call.wait_closed(30s);
  });
  const bool bare = GENERATE(true, false);
  INFO((bare ? "nginx's defaults" : "deploy/nginx"));
  Relay relay({.upstream = model.upstream()});
  Nginx nginx(bare ? bare_server : sample(), relay.port());
  const std::string id = relay.create();
  SseConnection reader(nginx.port, events_request(id));
  for (auto event = reader.next(); event && event->name != "message";) event = reader.next();
  relay.kill_now();
  CHECK(reader.rest().empty());
  CHECK((reader.end() == BodyEnd::reset || reader.end() == BodyEnd::fin));
  relay.start();
  SseConnection again(nginx.port, events_request(id, "", ""));
  CHECK(transcript_of(again.rest()).done->at("status") == "interrupted");
}

TEST_CASE("a client that leaves nginx leaves the relay", "[proxy]") {
  ModelServer model([](ModelServer::Call& call) {
    while (call.pause(20ms) && call.text("tick ")) {
    }
  });
  Relay relay({.upstream = model.upstream()});
  Nginx nginx(sample(), relay.port());
  const std::string id = relay.create({{"prompt", "x"}, {"on_disconnect", "cancel"}});
  {
    SseConnection reader(nginx.port, events_request(id));
    REQUIRE(reader.next());
    REQUIRE(reader.next());
    reader.http().socket().reset();
  }
  CHECK(relay.wait_status(id, "cancelled", 5s));
}
