// TLS to an upstream: whom it is spoken with, and that the bytes are the same.
#include <openssl/ssl.h>

#include <cstdlib>

#include "tests/support/temp_dir.h"
#include "tests/support/tls_front.h"
#include "tests/upstream/chat/run.h"

using namespace tokenrelay;
using upstream::ErrorCode;
namespace script = support::script;

namespace {

// For its lifetime OpenSSL trusts this certificate alone.
class Trusting {
 public:
  explicit Trusting(const std::string& certificate) {
    const char* const before = std::getenv("SSL_CERT_FILE");
    if (before) before_ = before;
    support::write_text(directory_ / "ca.pem", certificate);
    setenv("SSL_CERT_FILE", (directory_ / "ca.pem").c_str(), 1);
  }
  ~Trusting() { before_ ? setenv("SSL_CERT_FILE", before_->c_str(), 1) : unsetenv("SSL_CERT_FILE"); }

 private:
  support::TempDir directory_;
  std::optional<std::string> before_;
};

struct TlsRun : OpenAiRun {
  explicit TlsRun(support::TlsFront::Options front_options = {}) : front(server.port(), std::move(front_options)) {
    options.base_url = front.base_url();
  }
  const Recorder& again() {
    recorder.outcome.reset();
    recorder.text.clear();
    return run();
  }

  support::TlsFront front;
};

}  // namespace

TEST_CASE("a stream over TLS") {
  TlsRun run;
  const Trusting trusting(run.front.certificate());
  run.server.answer(script::numbered_stream(200, 0));
  SECTION("to a name") {}
  SECTION("to an address") {
    run.options.base_url = run.front.base_url("127.0.0.1");
  }
  CHECK(run.run().deltas.size() == 200);
  CHECK_FALSE(run.recorder.outcome->failure);
  CHECK(run.front.with_alpn() == 1);
}

TEST_CASE("only a certificate that is trusted, in time and for this name makes a connection") {
  TlsRun good;
  support::TlsFront::Options other, late;
  other.names = "DNS:other.example,DNS:*.localhost";
  late.expired = true;
  const auto outcome = [](TlsRun& run, const std::string& trusted) {
    const Trusting trusting(trusted);
    run.server.answer(script::text_stream({"a"}));
    return run.run().outcome->failure;
  };
  CHECK_FALSE(outcome(good, good.front.certificate()));
  TlsRun untrusted, wrong_name(other), wrong_address(other), expired(late);
  wrong_address.options.base_url = wrong_address.front.base_url("127.0.0.1");
  for (TlsRun* run : {&untrusted, &wrong_name, &wrong_address, &expired}) {
    const auto failure = outcome(*run, run == &untrusted ? good.front.certificate() : run->front.certificate());
    REQUIRE(failure);
    CHECK(failure->code == ErrorCode::upstream_unreachable);
    CHECK(run->server.calls() == 0);  // not a byte of the request was sent
  }
}

TEST_CASE("a TLS connection is used again, and its session when it is gone") {
  TlsRun run;
  const Trusting trusting(run.front.certificate());
  for (int i = 0; i < 3; ++i) run.server.answer(script::text_stream({"a"}));
  support::Script last = script::text_stream({"b"});
  last.push_back(script::close());
  run.server.answer(last);
  for (int i = 0; i < 4; ++i) CHECK_FALSE(run.again().outcome->failure);
  CHECK(run.front.handshakes() == 1);
  transport::Timer later(run.loop.timers(), [&] { run.loop.stop(); });
  later.arm(100);
  run.loop.run();  // sees the close
  CHECK_FALSE(run.again().outcome->failure);
  CHECK(run.front.handshakes() == 2);
  CHECK(run.front.resumed() == 1);
}

TEST_CASE("large events, pauses and every byte over TLS") {
  TlsRun run;
  const Trusting trusting(run.front.certificate());
  std::vector<std::string> words;
  std::string text;
  for (int i = 0; i < 2000; ++i) {
    words.push_back("w" + std::to_string(i) + std::string(static_cast<size_t>(i % 7 == 0 ? 3000 : i % 50), '.'));
    text += words.back();
  }
  run.server.answer(script::text_stream(words));
  transport::Timer later(run.loop.timers(), [&] { run.recorder.call->resume(); });
  run.recorder.on_delta = [&] {
    if (run.recorder.deltas.size() % 300 != 0) return;
    run.recorder.call->pause();
    later.arm(1 + static_cast<int64_t>(run.recorder.deltas.size() % 7));
  };
  CHECK(run.run().text == text);
}

TEST_CASE("an end without close_notify is a cut") {
  support::TlsFront::Options options;
  SECTION("a cut") {
    options.cuts = true;
  }
  SECTION("an end") {}
  TlsRun run(options);
  const Trusting trusting(run.front.certificate());
  const std::string head = script::head(200, "text/event-stream", script::Framing::until_close);
  run.server.answer({script::send(head + script::event(script::text_payload("a"))), script::close()});
  CHECK(run.run().text == "a");
  const upstream::Error failure = failure_of(run.recorder);
  CHECK(failure.code == upstream::ErrorCode::upstream_truncated);
  CHECK((failure.message.find("lost") != std::string::npos) == options.cuts);
}

TEST_CASE("silence in a TLS handshake is a connection that was not made in time") {
  OpenAiRun run;
  run.server.answer(script::silent());
  run.options.base_url = "https" + run.server.base_url().substr(4);
  run.options.timeouts = {150, 60'000, 60'000, 60'000};  // the others: not within the recorder's patience
  CHECK(code_of(run.run()) == ErrorCode::upstream_unreachable);
  CHECK(run.recorder.elapsed_ms() >= 140);
}
