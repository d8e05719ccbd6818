// TLS on the relay's own port: the same relay, streams, cuts and sockets, under a certificate that can be changed.
#include "tests/support/tls.h"

#include <signal.h>

#include "tests/support/catch.h"
#include "tests/support/model_server.h"
#include "tests/support/relay.h"
#include "tests/support/ws_client.h"

using namespace tokenrelay::support;

namespace {

using Step = TlsClient::Step;

ModelServer::Answer released() {
  return [](ModelServer::Call& call) {
    call.text("one ");
    if (call.wait_released()) call.text("two"), call.finish();
  };
}

struct SecureRelay {
  TempDir dir;
  Certificate first = make_certificate("first");
  Relay relay;

  explicit SecureRelay(const std::string& upstream) : relay(options(upstream)) {}

  RelayOptions options(const std::string& upstream) {
    show(first);
    return {.upstream = upstream,
            .config = "[tls]\ncertificate = \"" + certificate() + "\"\nkey = \"" + key() + "\"\n"};
  }
  std::string certificate() const { return dir / "relay.pem"; }
  std::string key() const { return dir / "relay.key"; }
  void show(const Certificate& made) const {
    write_text(certificate(), made.certificate);
    write_text(key(), made.key);
  }
  std::string url() const { return "https://localhost:" + std::to_string(relay.port()); }
};

// One connection that keeps all it hears.
struct Secure {
  Socket socket;
  TlsClient tls;
  std::string heard;
  Step end = Step::again;

  explicit Secure(const SecureRelay& to, const std::string& ca = {})
      : socket(Socket::connect(to.relay.port())), tls(socket.fd(), {.ca = ca}) {
    wait_until([&] { return end != Step::again || (end = tls.shake()) != Step::again; }, 10s, 1ms);
    if (end == Step::done) end = Step::again;
  }
  bool send(std::string_view bytes) {
    return wait_until([&] { return bytes.empty() || (tls.write(bytes) == Step::done && bytes.empty()); }, 10s, 1ms);
  }
  bool hears(const std::string& text) {
    return wait_until(
        [&] {
          while (end == Step::again && (end = tls.read(heard)) == Step::done) end = Step::again;
          return heard.find(text) != std::string::npos;
        },
        10s, 2ms);
  }
  Step ending() {
    wait_until(
        [&] {
          while (end == Step::again && (end = tls.read(heard)) == Step::done) end = Step::again;
          return end != Step::again;
        },
        10s, 2ms);
    return end;
  }
};

std::string create(const SecureRelay& to) {
  Secure connection(to);
  connection.send(bytes_of({.method = "POST",
                            .target = "/v1/streams",
                            .fields = {{"Content-Type", "application/json"}, {"Connection", "close"}},
                            .body = R"({"prompt":"hello"})"},
                           to.relay.port()));
  CHECK(connection.ending() == Step::closed);  // close_notify
  const auto body = connection.heard.find("\r\n\r\n");
  REQUIRE(connection.heard.starts_with("HTTP/1.1 201 "));
  return Json::parse(connection.heard.substr(body + 4)).at("id");
}

std::string events_of(const std::string& id, const SecureRelay& to) {
  return bytes_of({.target = "/v1/streams/" + id + "/events?coalesce=0"}, to.relay.port());
}

}  // namespace

TEST_CASE("curl and chat, the certificate checked", "[tls]") {
  ModelServer model([](ModelServer::Call& call) { call.text("over "), call.text("TLS"), call.finish(); });
  SecureRelay secure(model.upstream());
  const Ran made = run_program({"curl", "-sS", "--cacert", secure.certificate(), "-d", R"({"prompt":"hello"})", "-H",
                                "Content-Type: application/json", secure.url() + "/v1/streams"},
                               20s);
  INFO(made.err);
  REQUIRE(made.status == 0);
  const std::string id = Json::parse(made.out).at("id");
  const Ran read = run_program(
      {"curl", "-sSN", "--cacert", secure.certificate(), secure.url() + "/v1/streams/" + id + "/events"}, 20s);
  CHECK(read.status == 0);
  CHECK(read.out.find("over ") != std::string::npos);
  CHECK(read.out.find("event: done") != std::string::npos);
  const Ran chat =
      run_program({TOKENRELAY_BINARY, "chat", "--server", secure.url(), "--ca", secure.certificate(), "hello"}, 20s);
  INFO(chat.err);
  CHECK(chat.status == 0);
  CHECK(chat.out.find("over TLS") != std::string::npos);
  CHECK(run_program({"curl", "-sS", secure.url() + "/healthz"}, 20s).status == 60);  // unknown to the system's store
}

TEST_CASE("a stream is followed to its clean end, and the connection serves on", "[tls]") {
  ModelServer model(released());
  SecureRelay secure(model.upstream());
  const std::string id = create(secure);
  Secure reader(secure, secure.certificate());
  REQUIRE(reader.send(events_of(id, secure)));
  REQUIRE(reader.hears("one "));
  model.release();
  REQUIRE(reader.hears("\r\n0\r\n\r\n"));
  CHECK(reader.heard.find("two") != std::string::npos);
  reader.heard.clear();
  REQUIRE(reader.send(bytes_of({.target = "/v1/streams/" + id}, secure.relay.port())));
  CHECK(reader.hears("\"status\":\"completed\""));
}

TEST_CASE("kill -9 is a reset, and a close-delimited end a close_notify", "[tls]") {
  ModelServer model(released());
  SecureRelay secure(model.upstream());
  const std::string id = create(secure);
  Secure old(secure);
  REQUIRE(old.send("GET /v1/streams/" + id + "/events HTTP/1.0\r\nHost: localhost\r\n\r\n"));
  REQUIRE(old.hears("one "));
  SECTION("the end") {
    model.release();
    CHECK(old.ending() == Step::closed);
    CHECK(old.heard.find("event: done") != std::string::npos);
  }
  SECTION("the kill") {
    secure.relay.kill_now();
    CHECK(old.ending() == Step::failed);
    CHECK(old.tls.error() == "system error " + std::to_string(ECONNRESET));
  }
}

TEST_CASE("a WebSocket over TLS", "[tls]") {
  ModelServer model(released());
  SecureRelay secure(model.upstream());
  const std::string id = create(secure);
  Secure client(secure);
  REQUIRE(client.send(bytes_of({.target = "/v1/streams/" + id + "/ws",
                                .fields = {{"Upgrade", "websocket"},
                                           {"Connection", "Upgrade"},
                                           {"Origin", secure.url()},
                                           {"Host", secure.url().substr(8)},
                                           {"Sec-WebSocket-Version", "13"},
                                           {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}}},
                               secure.relay.port())));
  REQUIRE(client.hears("\"hello\""));
  CHECK(client.heard.starts_with("HTTP/1.1 101 "));
  REQUIRE(client.send(ws_frame(9, "are you there")));
  CHECK(
      client.hears("\x8a\x0d"
                   "are you there"));
  REQUIRE(client.send(ws_frame(8, "\x03\xe8")));
  CHECK(client.ending() == Step::closed);
  model.release();
}

TEST_CASE("SIGHUP changes the certificate for new connections; a bad file changes nothing", "[tls]") {
  ModelServer model(released());
  SecureRelay secure(model.upstream());
  const std::string id = create(secure);
  Secure reader(secure);
  REQUIRE(reader.send(events_of(id, secure)));
  REQUIRE(reader.hears("one "));
  const auto reload = [&](const std::string& said) {
    secure.relay.process().signal(SIGHUP);
    return wait_until([&] { return secure.relay.log().find(said) != std::string::npos; }, 10s);
  };
  secure.show({secure.first.certificate, make_certificate("other").key});
  REQUIRE(reload("does not belong to the certificate"));
  CHECK(secure.relay.log().find("tokenrelay.toml:3: tls.key") != std::string::npos);
  CHECK(Secure(secure).tls.server_name() == "first");
  secure.show(make_certificate("second"));
  REQUIRE(reload("configuration reloaded"));
  CHECK(Secure(secure).tls.server_name() == "second");
  CHECK(Secure(secure, secure.certificate()).send("GET / HTTP/1.1\r\n\r\n"));
  model.release();
  CHECK(reader.hears("event: done"));
  CHECK(reader.tls.server_name() == "first");
}

TEST_CASE("half a handshake is closed in time, plain HTTP at once", "[tls]") {
  TempDir dir;
  const Certificate made = make_certificate("first");
  write_text(dir / "c", made.certificate), write_text(dir / "k", made.key);
  Relay relay({.config = "[limits]\nhead_ms = 300\n[tls]\ncertificate = \"" + (dir / "c").string() + "\"\nkey = \"" +
                         (dir / "k").string() + "\"\n"});
  Socket silent = Socket::connect(relay.port()), half = Socket::connect(relay.port());
  REQUIRE(half.send_all(std::string("\x16\x03\x01\x02\x00\x01", 6)));
  std::string none;
  CHECK(silent.receive(none, 10s) == Got::fin);
  CHECK(half.receive(none, 10s) == Got::fin);
  HttpConnection plain(relay.port());
  REQUIRE(plain.send({.target = "/healthz"}));
  std::string alert;
  Got got;
  while ((got = plain.socket().receive(alert, 10s)) == Got::bytes) {
  }
  CHECK(got == Got::fin);
  CHECK(alert.find("HTTP/") == std::string::npos);
}

TEST_CASE("TLS files that do not fit refuse the start, with their place", "[tls]") {
  TempDir dir;
  const Certificate one = make_certificate("one"), two = make_certificate("two");
  write_text(dir / "one.pem", one.certificate), write_text(dir / "two.key", two.key);
  struct Case {
    std::string certificate, key, said;
  };
  const std::vector<Case> cases = {
      {"one.pem", "two.key", ":3: tls.key: \"two.key\" does not belong to the certificate"},
      {"none.pem", "two.key", ":2: tls.certificate: \"none.pem\" cannot be read"},
      {"one.pem", "one.pem", ":3: tls.key: \"one.pem\" contains no PEM private key"},
      {"one.pem", "", ":2: tls.certificate: needs tls.key as well"},
      {"", "two.key", ":3: tls.key: needs tls.certificate as well"}};
  for (const auto& c : cases) {
    write_text(dir / "t.toml", "[tls]\ncertificate = \"" + c.certificate + "\"\nkey = \"" + c.key + "\"\n");
    const Ran ran =
        run_program({TOKENRELAY_BINARY, "serve", "--listen", "127.0.0.1:0", "--config", "t.toml"}, 20s, {}, dir.path());
    INFO(ran.err);
    CHECK(ran.status == 2);
    CHECK(ran.err.find("t.toml" + c.said) != std::string::npos);
    CHECK(ran.out.empty());
  }
}

TEST_CASE("a key that every user can read is worth a warning", "[tls]") {
  ModelServer model(released());
  SecureRelay secure(model.upstream());
  std::filesystem::permissions(secure.key(), std::filesystem::perms(0600));
  REQUIRE(secure.relay.stop() == 0);
  const size_t before = secure.relay.log().size();
  secure.relay.start();
  REQUIRE(secure.relay.stop() == 0);
  CHECK(secure.relay.log().substr(before).find("every user") == std::string::npos);
  std::filesystem::permissions(secure.key(), std::filesystem::perms(0644));
  secure.relay.start();
  CHECK(wait_until([&] { return secure.relay.log().find("tls.key: every user", before) != std::string::npos; }, 5s));
}

TEST_CASE("under TLS browsers are told to stay with it, but not on localhost", "[tls]") {
  ModelServer model(released());
  SecureRelay secure(model.upstream());
  auto head = [&](const std::string& host) {
    return run_program({"curl", "-sSkI", "https://" + host + ":" + std::to_string(secure.relay.port()) + "/v1/streams"},
                       20s)
        .out;
  };
  CHECK(head("127.0.0.1").find("Strict-Transport-Security: max-age=31536000\r\n") != std::string::npos);
  CHECK(head("localhost").find("HTTP/1.1 200") == 0);
  CHECK(head("localhost").find("Strict-Transport-Security") == std::string::npos);
}
