// Behind proxies: the samples in deploy/nginx and deploy/haproxy, and nginx's bare defaults (HTTP/1.0 to its upstream).
#include "tests/support/catch.h"
#include "tests/support/follower.h"
#include "tests/support/model_server.h"
#include "tests/support/relay.h"
#include "tests/support/tls.h"
#include "tests/support/ws_client.h"

using namespace tokenrelay::support;

namespace {

using Strings = std::vector<std::string>;

// A proxy in front of a relay.
struct Proxy {
  TempDir dir;
  uint16_t port = unused_port();
  std::unique_ptr<Process> process;

  virtual ~Proxy() = default;
  std::string path(const std::string& file) const { return (dir.path() / file).string(); }
  Fields host() const { return {{"Host", "localhost:" + std::to_string(port)}}; }

 protected:
  void start(const std::string& name, std::vector<std::string> argv) {
    process = std::make_unique<Process>(
        ProcessOptions{.argv = std::move(argv), .stdout_file = dir / "out", .stderr_file = dir / "err"});
    if (!wait_until([&] { return Socket::connect(port).open() || !process->running(); }, 10s) || !process->running()) {
      FAIL(name << " did not start: " << read_text(dir / "err") << read_text(dir / "out")
                << read_text(dir / "error.log"));
    }
  }
};

std::string replaced(std::string text, const std::string& what, const std::string& with) {
  for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += with.size())
    text.replace(at, what.size(), with);
  return text;
}

std::string shipped(const std::string& file) {
  std::string text = read_text(TOKENRELAY_SOURCE_DIR "/deploy/" + file);
  REQUIRE_FALSE(text.empty());
  return text;
}

// What a sample's first lines want in tokenrelay.toml.
std::string relay_config(const std::string& file) {
  std::string config;
  std::istringstream lines(shipped(file));
  for (std::string line; std::getline(lines, line) && line.starts_with("#");) {
    if (line.starts_with("#   ")) config += line.substr(4) + "\n";
  }
  REQUIRE(config.find("hosts = ") != std::string::npos);
  return config;
}

const std::string bare_server = "server { listen @LISTEN@; location / { proxy_pass http://@RELAY@; } }";

struct Nginx : Proxy {
  // `http` is what goes into the http block; @LISTEN@ and @RELAY@ become addresses.
  Nginx(std::string http, uint16_t relay_port) {
    http = replaced(http, "@LISTEN@", "127.0.0.1:" + std::to_string(port));
    http = replaced(http, "@RELAY@", "127.0.0.1:" + std::to_string(relay_port));
    const std::string own = dir.path().string();
    write_text(dir / "nginx.conf",
               "daemon off;\nmaster_process off;\npid " + own + "/pid;\nerror_log " + own +
                   "/error.log;\nevents { worker_connections 256; }\nhttp {\naccess_log off;\nclient_body_temp_path " +
                   own + "/b;\nproxy_temp_path " + own + "/p;\nfastcgi_temp_path " + own + "/f;\nuwsgi_temp_path " +
                   own + "/u;\nscgi_temp_path " + own + "/s;\n" + http + "\n}\n");
    start("nginx", {"nginx", "-e", path("error.log"), "-p", own, "-c", path("nginx.conf")});
  }

  // The sample as shipped, with our addresses for its own.
  static std::string sample(const std::string& tls = "") {
    const std::string text = replaced(shipped("nginx/tokenrelay.conf"), "127.0.0.1:8080", "@RELAY@");
    return replaced(text, "listen 80", "listen @LISTEN@" + tls);
  }
};

struct Haproxy : Proxy {
  Haproxy(std::string config, uint16_t relay_port) {
    config = replaced(config, "127.0.0.1:8080", "127.0.0.1:" + std::to_string(relay_port));
    write_text(dir / "haproxy.cfg", replaced(config, "@LISTEN@", "127.0.0.1:" + std::to_string(port)));
    start("haproxy", {"haproxy", "-db", "-f", path("haproxy.cfg")});
  }
  static std::string sample() { return replaced(shipped("haproxy/haproxy.cfg"), "bind :80\n", "bind @LISTEN@\n"); }
};

enum class Kind { nginx_bare, nginx, haproxy };

std::string_view name_of(Kind kind) {
  return kind == Kind::nginx_bare ? "nginx's defaults" : kind == Kind::nginx ? "deploy/nginx" : "deploy/haproxy";
}

std::unique_ptr<Proxy> proxy_before(const Relay& relay, Kind kind) {
  if (kind == Kind::haproxy) return std::make_unique<Haproxy>(Haproxy::sample(), relay.port());
  return std::make_unique<Nginx>(kind == Kind::nginx ? Nginx::sample() : bare_server, relay.port());
}

std::string config_behind(Kind kind) {
  if (kind == Kind::nginx_bare) return "";
  return relay_config(kind == Kind::nginx ? "nginx/tokenrelay.conf" : "haproxy/haproxy.cfg");
}

Request through(const Proxy& proxy, Request request) {
  for (const auto& field : proxy.host()) request.fields.push_back(field);
  return request;
}

}  // namespace

TEST_CASE("a stream with a cut and a resume passes through a proxy", "[proxy]") {
  ModelServer model([](ModelServer::Call& call) {
    for (int i = 0; i < 60 && (i == 20 ? call.wait_released() : call.pause(20ms)); ++i)
      call.text("t" + std::to_string(i) + "é ");
    call.finish();
  });
  const Kind kind = GENERATE(Kind::nginx_bare, Kind::nginx, Kind::haproxy);
  INFO(name_of(kind));
  Relay relay({.upstream = model.upstream(), .config = config_behind(kind) + "[limits]\nheartbeat_ms = 200\n"});
  const auto proxy = proxy_before(relay, kind);
  const auto made = fetch(proxy->port, through(*proxy, {.method = "POST",
                                                        .target = "/v1/streams",
                                                        .fields = {{"Content-Type", "application/json"}},
                                                        .body = R"({"prompt":"x"})"}));
  INFO(made.body);
  REQUIRE(made.status == 201);
  const std::string id = made.json().at("id");
  Transcript pieced;
  {
    SseConnection first(proxy->port, through(*proxy, events_request(id)));
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
  SseConnection second(proxy->port, through(*proxy, events_request(id, pieced.last_id)));
  const auto events = second.rest();
  CHECK(second.problems() == Strings{});
  CHECK(second.end() == BodyEnd::clean);
  REQUIRE(!events.empty());
  CHECK(events[0].json().at("verdict") == "exact");
  for (const auto& e : events) pieced.add(e);
  CHECK(relay.state(id).at("text") == pieced.text);
  CHECK(pieced.text.size() > 60 * 4);
  CHECK(fetch(proxy->port, through(*proxy, events_request(id, pieced.last_id))).status == 204);
}

TEST_CASE("a cut behind a proxy never looks like a clean end", "[proxy]") {
  ModelServer model([](ModelServer::Call& call) {
    call.text("one ");
    call.wait_closed(30s);
  });
  const Kind kind = GENERATE(Kind::nginx_bare, Kind::nginx, Kind::haproxy);
  INFO(name_of(kind));
  Relay relay({.upstream = model.upstream(), .config = config_behind(kind)});
  const auto proxy = proxy_before(relay, kind);
  const std::string id = relay.create();
  SseConnection reader(proxy->port, through(*proxy, events_request(id)));
  for (auto event = reader.next(); event && event->name != "message";) event = reader.next();
  relay.kill_now();
  CHECK(reader.rest().empty());
  CHECK((reader.end() == BodyEnd::reset || reader.end() == BodyEnd::fin));
  relay.start();
  SseConnection again(proxy->port, through(*proxy, events_request(id, "", "")));
  CHECK(transcript_of(again.rest()).done->at("status") == "interrupted");
}

TEST_CASE("a client that leaves a proxy leaves the relay", "[proxy]") {
  ModelServer model([](ModelServer::Call& call) {
    while (call.pause(20ms) && call.text("tick ")) {
    }
  });
  const Kind kind = GENERATE(Kind::nginx, Kind::haproxy);
  INFO(name_of(kind));
  Relay relay({.upstream = model.upstream(), .config = config_behind(kind)});
  const auto proxy = proxy_before(relay, kind);
  const std::string id = relay.create({{"prompt", "x"}, {"on_disconnect", "cancel"}});
  {
    SseConnection reader(proxy->port, through(*proxy, events_request(id)));
    REQUIRE(reader.next());
    REQUIRE(reader.next());
    reader.http().socket().reset();
  }
  CHECK(relay.wait_status(id, "cancelled", 5s));
}

namespace {

// What curl makes of an answer that is cut by the relay's death, under TLS with the newest protocol that the proxy
// speaks: its exit status, what it read, and the protocol.
Ran read_cut_under_tls(Relay& relay, const Proxy& proxy) {
  const std::string id = relay.create();
  const std::string url = "https://localhost:" + std::to_string(proxy.port) + "/v1/streams/" + id + "/events";
  const auto read = proxy.dir / "read";
  const auto said = proxy.dir / "said";
  Process curl(
      {.argv = {"curl", "-sSNk", "--http2", "--max-time", "30", "-w", "HTTP/%{http_version}", "-o", read.string(), url},
       .stdout_file = said});
  CHECK(wait_until([&] { return read_text(read).find("one ") != std::string::npos; }, 10s));
  relay.kill_now();
  const auto status = curl.wait(20s);
  return {status, read_text(read), read_text(said)};
}

}  // namespace

TEST_CASE("a cut is seen under TLS too, by HTTP/2 where the proxy speaks it well", "[proxy]") {
  ModelServer model([](ModelServer::Call& call) {
    call.text("one ");
    call.wait_closed(30s);
  });
  TempDir dir;
  const Certificate made = make_certificate("relay.example");
  write_text(dir / "relay.crt", made.certificate);
  write_text(dir / "relay.key", made.key);
  write_text(dir / "relay.pem", made.certificate + made.key);
  const Kind kind = GENERATE(Kind::nginx, Kind::haproxy);
  INFO(name_of(kind));
  Relay relay({.upstream = model.upstream(), .config = config_behind(kind)});
  std::unique_ptr<Proxy> proxy;
  if (kind == Kind::nginx) {
    const std::string files = "ssl_certificate " + (dir / "relay.crt").string() + "; ssl_certificate_key " +
                              (dir / "relay.key").string() + ";\n";
    proxy = std::make_unique<Nginx>(files + Nginx::sample(" ssl http2"), relay.port());
  } else {
    std::string config = Haproxy::sample();
    const std::string mark = "# With TLS: bind :443 ";  // the sample's own line
    const auto at = config.find(mark);
    REQUIRE(at != std::string::npos);
    const auto options = config.substr(at + mark.size(), config.find('\n', at) - at - mark.size());
    config = replaced(config, "bind @LISTEN@", "bind @LISTEN@ " + options);
    config = replaced(config, "/etc/haproxy/relay.pem", (dir / "relay.pem").string());
    proxy = std::make_unique<Haproxy>(config, relay.port());
  }
  const Ran cut = read_cut_under_tls(relay, *proxy);
  REQUIRE(cut.status);
  CHECK(*cut.status != 0);
  CHECK(cut.out.find("event: done") == std::string::npos);
  CHECK(cut.err == (kind == Kind::nginx ? "HTTP/2" : "HTTP/1.1"));
}

TEST_CASE("the samples let their own names in and no other", "[proxy]") {
  const Kind kind = GENERATE(Kind::nginx, Kind::haproxy);
  INFO(name_of(kind));
  Relay relay({.config = config_behind(kind)});
  const auto proxy = proxy_before(relay, kind);
  auto status = [&](const std::string& host, Fields more = {}) {
    more.emplace_back("Host", host);
    return fetch(proxy->port, {.target = "/v1/streams", .fields = more}).status;
  };
  for (const auto* own : {"relay.example", "localhost", "relay.example:8080", "RELAY.example"})
    CHECK(status(own) == 200);
  for (const auto* foreign :
       {"evil.example", "evil.example:80", "127.0.0.1", "relay.example.evil.example", "xrelay.example"}) {
    INFO(foreign);
    CHECK(status(foreign) == (kind == Kind::nginx ? 0 : 421));
    CHECK(status(foreign, {{"X-Forwarded-Host", "relay.example"}}) == (kind == Kind::nginx ? 0 : 421));
  }
  CHECK(status("relay.example", {{"X-Forwarded-Host", "evil.example"}}) == 200);  // dropped
}

TEST_CASE("through the samples only the public origin is the relay's own", "[proxy]") {
  const Kind kind = GENERATE(Kind::nginx, Kind::haproxy);
  INFO(name_of(kind));
  Relay relay({.config = config_behind(kind)});
  const auto proxy = proxy_before(relay, kind);
  const std::string id = relay.create();
  auto status = [&](const std::string& origin) {
    const Fields fields = {{"Host", "relay.example"}, {"Origin", origin}, {"X-Forwarded-Host", "evil.example"}};
    const int socket = WsClient(proxy->port, "/v1/streams/" + id + "/ws", fields).status();
    const int post =
        fetch(proxy->port, {.method = "POST", .target = "/v1/streams/" + id + "/cancel", .fields = fields}).status;
    CHECK(post == (socket == 101 ? 200 : 403));
    return socket;
  };
  CHECK(status("http://relay.example") == 101);   // what X-Forwarded-Proto and Host say
  CHECK(status("https://relay.example") == 101);  // public_origins
  for (const std::string& foreign :
       Strings{"http://127.0.0.1:" + std::to_string(relay.port()), "http://127.0.0.1:8080", "http://localhost",
               "https://evil.example", "http://evil.example", "http://relay.example:81", "null"}) {
    INFO(foreign);
    CHECK(status(foreign) == 403);
  }
}

TEST_CASE("metrics and health are not for the public, in any spelling", "[proxy]") {
  const Kind kind = GENERATE(Kind::nginx, Kind::haproxy);
  INFO(name_of(kind));
  Relay relay({.config = config_behind(kind)});
  const auto proxy = proxy_before(relay, kind);
  auto from = [&](const std::string& address, const std::string& path) {
    return run_program({"curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--path-as-is", "--interface", address,
                        "-H", "Host: relay.example", "http://127.0.0.1:" + std::to_string(proxy->port) + path},
                       20s)
        .out;
  };
  for (const auto* path : {"/metrics", "/%6detrics", "/m%65trics", "/%6D%65%74%72%69%63%73", "/healthz", "/%68ealthz",
                           "/readyz", "/%72eadyz", "/metrics?x=1", "/%6detrics?x=1"}) {
    INFO(path);
    CHECK(from("127.0.0.2", path) == "403");
    CHECK(from("127.0.0.1", path) == "200");
  }
  for (const auto* path : {"/%256detrics", "/metrics/", "/x/../metrics", "//metrics", "/metrics%2f", "/metrics;"}) {
    INFO(path);
    const auto status = from("127.0.0.2", path);
    CHECK((status == "403" || status == "404" || status == "400"));
  }
}

TEST_CASE("while the relay is away its readers get no answer, however they spell the path", "[proxy]") {
  const Kind kind = GENERATE(Kind::nginx, Kind::haproxy);
  INFO(name_of(kind));
  Relay relay({.config = config_behind(kind)});
  const auto proxy = proxy_before(relay, kind);
  relay.kill_now();
  for (const auto* path : {"/v1/streams/strm_x/events", "/v1/streams/strm_x/event%73", "/v1/%73treams/strm_x/events"}) {
    INFO(path);
    CHECK(fetch(proxy->port, through(*proxy, {.target = path})).status == 0);
  }
  CHECK(fetch(proxy->port, through(*proxy, {.target = "/v1/streams/strm_x"})).status / 100 == 5);
}
