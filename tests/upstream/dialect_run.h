// One call of a provider against a scripted upstream, over real sockets, whatever dialect it speaks. A dialect's tests
// derive from DialectRun and say how their provider is made.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "service/upstream/providers.h"
#include "tests/support/model_server.h"
#include "tests/upstream/recorder.h"

struct DialectRun {
  using Make = std::unique_ptr<tokenrelay::upstream::Provider> (*)(std::shared_ptr<tokenrelay::client::HttpClient>,
                                                                   tokenrelay::upstream::ProviderOptions);
  using Request = tokenrelay::upstream::ModelRequest;

  // Limits small enough for a test.
  DialectRun(Make how, const std::string& key) : make(how), recorder(loop) {
    options.base_url = server.base_url();
    options.api_key = key;
    options.timeouts = {2'000, 5'000, 5'000, 300};
  }

  // The provider, made from `options` when it is first asked for.
  tokenrelay::upstream::Provider& model() {
    if (!provider) provider = make(tokenrelay::client::make_http_client(loop), options);
    return *provider;
  }
  static Request asking(const std::string& parameters = "") {
    return {"m", R"([{"role":"user","content":"hi"}])", parameters, "req_1"};
  }
  void start(const Request& request = asking()) { recorder.call = call_of(model(), request, recorder); }
  const Recorder& run(const Request& request = asking()) {
    start(request);
    recorder.run_until_end();
    return recorder;
  }
  // Runs the loop for so long, whatever happens.
  void run_for(int64_t ms) {
    tokenrelay::transport::Timer later(loop.timers(), [this] { loop.stop(); });
    later.arm(ms);
    loop.run();
  }

  const Make make;
  tokenrelay::support::ModelServer server;
  tokenrelay::transport::Loop loop;
  tokenrelay::upstream::ProviderOptions options;
  std::unique_ptr<tokenrelay::upstream::Provider> provider;
  Recorder recorder;
};

// What a call makes of one script.
template <class Run>
Recorder result_of(const tokenrelay::support::Script& steps) {
  Run run;
  run.server.answer(steps);
  run.run();
  return std::move(run.recorder);
}

inline tokenrelay::upstream::Error failure_of(const Recorder& recorder) {
  REQUIRE(recorder.outcome);
  REQUIRE(recorder.outcome->failure);
  return *recorder.outcome->failure;
}

inline tokenrelay::upstream::ErrorCode code_of(const Recorder& recorder) {
  return failure_of(recorder).code;
}

// "event: TYPE\ndata: …\n\n". `unreadable` is the type of a payload that nlohmann cannot read (half a surrogate pair).
inline std::string named_event(const std::string& payload, const char* unreadable) {
  const auto event = nlohmann::json::parse(payload, nullptr, false);
  const std::string type = event.is_discarded() ? unreadable : event.value("type", "");
  return "event: " + type + "\ndata: " + payload + "\n\n";
}

// "" where the head has no such field.
inline std::string header_of(const std::string& head, const std::string& name) {
  const size_t at = head.find("\r\n" + name + ": ");
  if (at == head.npos) return {};
  const size_t from = at + name.size() + 4;
  return head.substr(from, head.find("\r\n", from) - from);
}

// Destroys its call in the callback that was chosen.
struct Quitter final : tokenrelay::upstream::CallHandler {
  Quitter(tokenrelay::transport::Loop& on_loop, int callbacks) : loop(on_loop), left(callbacks) {}
  void count() {
    if (--left > 0) return;
    call.reset();
    loop.stop();
  }
  void on_text(std::string_view) override { count(); }
  void on_reasoning(std::string_view) override { count(); }
  void on_tool_call(int, std::string_view, std::string_view, std::string_view) override { count(); }
  void on_opaque(std::string_view) override { count(); }
  uint64_t told_bytes() const override { return 0; }
  void on_end(tokenrelay::upstream::Outcome) override { count(); }

  tokenrelay::transport::Loop& loop;
  int left;
  std::unique_ptr<tokenrelay::upstream::Call> call;
};

// Destroys one call in its first callback, another in its second, up to the last of `callbacks`.
template <class Run>
void check_destroyed_in_any_callback(const tokenrelay::support::Script& steps, int callbacks) {
  Run run;
  run.server.answer(steps);
  for (int at = 1; at <= callbacks; ++at) {
    Quitter quitter(run.loop, at);
    quitter.call = call_of(run.model(), {"m", "[]", "", "r"}, quitter);
    run.loop.run();
    CHECK(quitter.left == 0);
  }
}
