// One TLS connection on the loopback: a Socket under a loop on the test's thread, and a client stepped from within it.
#pragma once

#include <fcntl.h>

#include <stdexcept>
#include <string>

#include "service/transport/tls_server.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tls.h"
#include "tests/transport/loop_fixture.h"

namespace tokenrelay::transport {

using support::TlsClient;
using Step = TlsClient::Step;

struct TlsFixture {
  support::TempDir directory;
  Loop loop;
  TlsServer server = open("first");

  TlsFiles write(const std::string& name) {
    const auto made = support::make_certificate(name);
    const TlsFiles files{directory / (name + ".pem"), directory / (name + ".key")};
    support::write_text(files.certificate, made.certificate);
    support::write_text(files.key, made.key);
    return files;
  }

  TlsServer open(const std::string& name, size_t handshakes = TlsServer::handshakes_at_once) {
    auto opened = TlsServer::open(write(name), handshakes);
    if (!opened) throw std::runtime_error(opened.error().what);
    return std::move(*opened);
  }
};

struct TlsPair {
  TlsFixture& tls;
  TcpPair tcp;
  Socket socket;
  TlsClient client;
  std::string heard;                     // by the server
  IoResult last{IoStatus::would_block};  // its last read

  explicit TlsPair(TlsFixture& fixture, const support::TlsClientOptions& options = {}, int client_receive_buffer = 0)
      : tls(fixture),
        tcp(client_receive_buffer),
        socket(fixture.loop, tcp.server),
        client(non_blocking(tcp.client), options) {
    fixture.server.secure(socket);
  }

  static int non_blocking(int descriptor) {
    ::fcntl(descriptor, F_SETFL, ::fcntl(descriptor, F_GETFL) | O_NONBLOCK);
    return descriptor;
  }

  // The server reads once; says whether it may go on.
  bool hear() {
    char room[16 << 10];
    last = socket.read(room, sizeof room);
    if (last.status == IoStatus::done) heard.append(room, last.bytes);
    return last.status == IoStatus::done || last.status == IoStatus::would_block;
  }

  // Both sides to the end of the handshake, tickets included; says whether it came to stand.
  bool shake() {
    Step step = Step::again;
    run_until(tls.loop, [&] {
      const bool open = hear();
      if (step == Step::again) step = client.shake();
      return step != Step::again || !open;
    });
    std::string_view word = "hello";
    if (step != Step::done) return false;
    return client.write(word) == Step::done && run_until(tls.loop, [&] { return hear() && heard == "hello"; });
  }
};

}  // namespace tokenrelay::transport
