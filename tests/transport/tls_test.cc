#include <openssl/ssl.h>

#include <cerrno>

#include "tests/support/catch.h"
#include "tests/transport/tls_fixture.h"

using namespace tokenrelay::transport;

namespace {

IoResult write(Socket& socket, const std::vector<std::string>& texts) {
  std::vector<iovec> parts;
  for (const auto& text : texts) parts.push_back({const_cast<char*>(text.data()), text.size()});
  return socket.write(parts);
}

std::string to_the_end(TlsPair& pair, Step& end) {
  std::string got;
  run_until(pair.tls.loop, [&] {
    if (end == Step::closed || end == Step::failed) return true;
    while ((end = pair.client.read(got)) == Step::done) {
    }
    return end != Step::again;
  });
  return got;
}

}  // namespace

TEST_CASE("a handshake in both versions, then data both ways", "[tls]") {
  TlsFixture tls;
  const int version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
  TlsPair pair(tls, {.ca = tls.directory / "first.pem", .max_version = version, .alpn = "http/1.1"});
  REQUIRE(pair.shake());
  CHECK(pair.client.version() == (version == TLS1_2_VERSION ? "TLSv1.2" : "TLSv1.3"));
  CHECK(pair.client.alpn() == "http/1.1");
  CHECK(tls.server.handshakes() == 0);
  CHECK(write(pair.socket, {"one ", "", "two ", "three"}).bytes == 13);
  std::string got;
  REQUIRE(run_until(tls.loop, [&] { return pair.client.read(got) == Step::done || !got.empty(); }));
  CHECK(got == "one two three");  // one read of one record
}

TEST_CASE("no common protocol, an old version, plain HTTP: no handshake, and an end", "[tls]") {
  TlsFixture tls;
  std::vector<std::string> refused;
  tls.server.when_refused([&](std::string_view reason) { refused.emplace_back(reason); });
  SECTION("TLS 1.1") {
    TlsPair pair(tls, {.max_version = TLS1_1_VERSION});
    CHECK_FALSE(pair.shake());
    CHECK(pair.last.status == IoStatus::failed);
    pair.socket.close();
    Step end = Step::again;
    REQUIRE(run_until(tls.loop, [&] { return end != Step::again || (end = pair.client.shake()) == Step::failed; }));
    CHECK(pair.client.error().find("protocol version") != std::string::npos);
  }
  SECTION("only HTTP/2") {
    TlsPair pair(tls, {.alpn = "h2"});
    CHECK_FALSE(pair.shake());
    CHECK(pair.last.status == IoStatus::failed);
  }
  SECTION("plain HTTP") {
    TlsPair pair(tls);
    const std::string request = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    REQUIRE(::send(pair.tcp.client, request.data(), request.size(), 0) == static_cast<ssize_t>(request.size()));
    REQUIRE(run_until(tls.loop, [&] { return !pair.hear(); }));
    CHECK(pair.last.status == IoStatus::failed);
    pair.socket.close();
    char byte;
    ssize_t got;
    while ((got = ::recv(pair.tcp.client, &byte, 1, 0)) == 1) {
    }
    CHECK(got == 0);  // an end, not a reset
  }
  CHECK(tls.server.handshakes() == 0);
  CHECK(refused == std::vector<std::string>{"tls"});
}

TEST_CASE("tickets resume a session, also after the certificate has changed, also after a cut", "[tls]") {
  TlsFixture tls;
  const int version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
  std::shared_ptr<SSL_SESSION> ticket;
  {
    TlsPair pair(tls, {.max_version = version});
    REQUIRE(pair.shake());
    CHECK_FALSE(pair.client.resumed());
    std::string none;
    pair.client.read(none);
    ticket = pair.client.ticket();
    pair.socket.cut();
  }
  REQUIRE(ticket);
  {
    TlsPair pair(tls, {.max_version = version, .resume = ticket});
    REQUIRE(pair.shake());
    CHECK(pair.client.resumed());
    std::string none;
    pair.client.read(none);
    if (pair.client.ticket()) ticket = pair.client.ticket();  // TLS 1.3: one ticket, one use
  }
  REQUIRE_FALSE(tls.server.reload(tls.write("second")));
  {
    TlsPair pair(tls, {.max_version = version, .resume = ticket});
    REQUIRE(pair.shake());
    CHECK(pair.client.resumed());
  }
  TlsPair fresh(tls, {.max_version = version});
  REQUIRE(fresh.shake());
  CHECK_FALSE(fresh.client.resumed());
  CHECK(fresh.client.server_name() == "second");
}

TEST_CASE("a bad file is a fault with words, and the old certificate stays", "[tls]") {
  TlsFixture tls;
  using File = TlsFault::File;
  const TlsFiles good = tls.write("good"), other = tls.write("other");
  const std::string text = tls.directory / "text", none = tls.directory / "none";
  tokenrelay::support::write_text(text, "not PEM\n");
  auto check = [&](const TlsFiles& files, File file, const std::string& words) {
    const auto fault = tls.server.reload(files);
    REQUIRE(fault);
    CHECK(fault->file == file);
    INFO(fault->what);
    CHECK(fault->what.find(words) != std::string::npos);
  };
  check({none, good.key}, File::certificate, "cannot be read: No such file");
  check({good.certificate, none}, File::key, "cannot be read: No such file");
  check({good.certificate, tls.directory.path()}, File::key, "cannot be read: Is a directory");
  check({text, good.key}, File::certificate, "contains no PEM certificate");
  check({good.certificate, text}, File::key, "contains no PEM private key");
  check({good.certificate, other.key}, File::key, "does not belong to the certificate");
  TlsPair pair(tls);
  REQUIRE(pair.shake());
  CHECK(pair.client.server_name() == "first");
}

TEST_CASE("an end is a close_notify, a cut a reset without one", "[tls]") {
  TlsFixture tls;
  TlsPair pair(tls);
  REQUIRE(pair.shake());
  REQUIRE(write(pair.socket, {"data"}).bytes == 4);
  Step end = Step::again;
  SECTION("close") {
    pair.socket.close();
    CHECK(to_the_end(pair, end) == "data");
    CHECK(end == Step::closed);
  }
  SECTION("end_writing, and reading goes on") {
    pair.socket.end_writing();
    CHECK(to_the_end(pair, end) == "data");
    CHECK(end == Step::closed);
    std::string_view late = "late";
    REQUIRE(pair.client.write(late) == Step::done);
    CHECK(run_until(tls.loop, [&] { return pair.hear() && pair.heard == "hellolate"; }));
  }
  SECTION("cut") {
    std::string got;
    REQUIRE(run_until(tls.loop, [&] { return pair.client.read(got) == Step::done || !got.empty(); }));
    pair.socket.cut();
    to_the_end(pair, end);
    CHECK(end == Step::failed);
    CHECK(pair.client.error() == "system error " + std::to_string(ECONNRESET));
  }
  SECTION("dropped where a drop is a cut") {
    std::string got;
    REQUIRE(run_until(tls.loop, [&] { return pair.client.read(got) == Step::done || !got.empty(); }));
    pair.socket.cut_if_dropped(true);
    pair.socket = Socket();
    to_the_end(pair, end);
    CHECK(end == Step::failed);
  }
}

TEST_CASE("a peer's close_notify and its bare FIN are both an eof, and a wait says so", "[tls]") {
  TlsFixture tls;
  TlsPair pair(tls);
  REQUIRE(pair.shake());
  std::string_view word = "bye";
  REQUIRE(pair.client.write(word) == Step::done);
  SECTION("close_notify behind data, the connection open") {
    pair.client.say_goodbye();
  }
  SECTION("FIN") {
    ::shutdown(pair.tcp.client, SHUT_WR);
  }
  REQUIRE(run_until(tls.loop, [&] { return !pair.hear(); }));
  CHECK(pair.heard == "hellobye");
  CHECK(pair.last.status == IoStatus::eof);
  bool ready = false;
  pair.socket.wait_readable([&] { ready = true; });
  CHECK(run_until(tls.loop, [&] { return ready; }));
  CHECK(write(pair.socket, {"still"}).bytes == 5);  // the other direction stands
}

TEST_CASE("a wait tells of bytes that are decrypted already", "[tls]") {
  TlsFixture tls;
  TlsPair pair(tls);
  REQUIRE(pair.shake());
  std::string_view word = "abcdef";
  REQUIRE(pair.client.write(word) == Step::done);
  char room[2];
  size_t got = 0;
  REQUIRE(run_until(tls.loop, [&] { return got > 0 || (got = pair.socket.read(room, sizeof room).bytes) == 2; }));
  bool ready = false;
  pair.socket.wait_readable([&] { ready = true; });
  REQUIRE(run_until(tls.loop, [&] { return ready; }));
  SECTION("and is dropped when cancelled") {
    ready = false;
    pair.socket.wait_readable([&] { ready = true; });
    pair.socket.cancel_waits();
    run_until(
        tls.loop, [] { return false; }, 20);
    CHECK_FALSE(ready);
  }
  CHECK(pair.hear());
  CHECK(pair.heard == "hellocdef");
}

TEST_CASE("a megabyte through small buffers arrives whole, tried again from where it stopped", "[tls]") {
  TlsFixture tls;
  TlsPair pair(tls, {}, 4096);
  REQUIRE(pair.shake());
  pair.socket.prepare_for_stream();
  std::string all;
  for (size_t i = 0; all.size() < 1 << 20; ++i) all += std::to_string(i) + ",";
  size_t sent = 0, blocked = 0;
  bool failed = false;
  std::function<void()> push = [&] {
    while (sent < all.size()) {
      const size_t cut = std::min(all.size(), sent + 1000);  // in two parts, and not at a record's border
      const auto wrote = write(pair.socket, {all.substr(sent, cut - sent), all.substr(cut, 100'000)});
      if (wrote.status == IoStatus::would_block) {
        ++blocked;
        return pair.socket.wait_writable(push);
      }
      if ((failed = wrote.status != IoStatus::done)) return;
      sent += wrote.bytes;
    }
    pair.socket.close();
  };
  push();
  Step end = Step::again;
  const std::string got = to_the_end(pair, end);
  CHECK_FALSE(failed);
  CHECK(blocked > 0);
  CHECK(end == Step::closed);
  CHECK(got.size() == all.size());
  CHECK(got == all);
}

TEST_CASE("no renegotiation", "[tls]") {
  TlsFixture tls;
  TlsPair pair(tls, {.max_version = TLS1_2_VERSION});
  REQUIRE(pair.shake());
  REQUIRE(pair.client.renegotiate());
  Step step = Step::again;
  run_until(tls.loop, [&] {
    if (step == Step::again) step = pair.client.shake();
    return step != Step::again || !pair.hear();
  });
  CHECK(step == Step::failed);
  CHECK(pair.client.error().find("renegotiation") != std::string::npos);
}

TEST_CASE("handshakes are counted from the first byte, and one too many is a reset", "[tls]") {
  TlsFixture tls;
  tls.server = tls.open("first", 1);
  TlsPair silent(tls), first(tls), second(tls);
  first.client.shake();
  REQUIRE(run_until(tls.loop, [&] {
    first.hear();
    return tls.server.handshakes() == 1;
  }));
  second.client.shake();
  REQUIRE(run_until(tls.loop, [&] { return !second.hear(); }));
  second.socket.close();
  Step end = Step::again;
  run_until(tls.loop, [&] { return end != Step::again || (end = second.client.shake()) != Step::again; });
  CHECK(end == Step::failed);
  CHECK(second.client.error() == "system error " + std::to_string(ECONNRESET));
  first.socket.close();
  first.socket = Socket();
  CHECK(tls.server.handshakes() == 0);
  CHECK(silent.shake());
}

TEST_CASE("a session outlives its server", "[tls]") {
  TlsFixture tls;
  TlsPair pair(tls);
  REQUIRE(pair.shake());
  tls.server = tls.open("second");
  CHECK(write(pair.socket, {"still"}).bytes == 5);
}
