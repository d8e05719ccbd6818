// One response through a whole dialect, from its bytes to the outcome: framing, events, end marks, errors. What must
// hold of any bytes, and however the reads cut them:
//   - the call ends once, and says nothing afterwards;
//   - deltas are whole characters and never empty; calls are numbered in order, and none is without a name;
//   - no more is said than was sent;
//   - an answer that completes without having said anything has a reason or counted tokens, and no input is zero;
//   - a handler may destroy the call in any callback.
//
// The harness defines client::HttpClient: its transfers are played by the target. So the target takes no other one.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "service/client/http_client.h"
#include "service/json/parse.h"
#include "service/json/utf8.h"
#include "service/transport/loop.h"
#include "service/upstream/providers.h"
#include "tests/fuzz/harness.h"

namespace tokenrelay::client {

inline TransferHandler* played = nullptr;  // of the transfer that is open; null: there is none

struct PlayedTransfer final : Transfer {
  ~PlayedTransfer() override { played = nullptr; }
  void pause() override {}
  void resume() override {}
  void finish() override { played = nullptr; }
};

struct HttpClient::State {
  transport::Loop& loop;
};
// NOLINTBEGIN(performance-unnecessary-value-param): as http_client.h declares them
HttpClient::HttpClient(transport::Loop& loop, Resolver::System) : state_(std::make_shared<State>(State{loop})) {}
HttpClient::~HttpClient() = default;
transport::Loop& HttpClient::loop() {
  return state_->loop;
}
void HttpClient::send_off(HttpRequest) {}
std::unique_ptr<Transfer> HttpClient::send(HttpRequest, TransferHandler& handler) {
  played = &handler;
  return std::make_unique<PlayedTransfer>();
}
// NOLINTEND(performance-unnecessary-value-param)

}  // namespace tokenrelay::client

namespace tokenrelay::fuzz {

// Checks what it is told, and destroys the call in the callback that was chosen.
struct CallChecker final : upstream::CallHandler {
  explicit CallChecker(size_t callbacks) : left(callbacks) {}

  void on_text(std::string_view delta) override { take(text, delta); }
  void on_reasoning(std::string_view delta) override { take(reasoning, delta); }
  void on_tool_call(int index, std::string_view id, std::string_view name, std::string_view arguments) override {
    const auto i = static_cast<size_t>(index);
    require(!outcome && index >= 0 && i <= tools.size());
    if (i == tools.size()) {
      require(!name.empty());
      tools.emplace_back(name);
    } else {
      require(id.empty() && name.empty() && !arguments.empty());
    }
    require(json::valid_utf8(id) && json::valid_utf8(name) && json::valid_utf8(arguments));
    tools[i] += '|';
    tools[i] += arguments;
    count();
  }
  void on_opaque(std::string_view object) override {
    require(!outcome && json::parse(object) && object.find('\n') == object.npos);
    count();
  }
  uint64_t told_bytes() const override { return text.size() + reasoning.size(); }
  void on_end(upstream::Outcome ended) override {
    require(!outcome);
    outcome = std::move(ended);
    check_outcome();
    count();
  }

  void take(std::string& said, std::string_view delta) {
    require(!outcome && !delta.empty() && json::valid_utf8(delta));
    said += delta;
    count();
  }
  void check_outcome() const {
    using upstream::FinishReason;
    const upstream::Outcome& end = *outcome;
    require(end.usage.input_tokens != 0u);
    require(json::valid_utf8(end.finish_reason_raw));
    if (end.failure) return require(json::valid_utf8(end.failure->message) && !end.failure->message.empty());
    if (!text.empty() || !reasoning.empty() || !tools.empty() || end.usage.output_tokens.value_or(0) > 0) return;
    require(end.finish_reason != FinishReason::stop && end.finish_reason != FinishReason::tool_calls);
  }
  void count() {
    if (--left == 0) call.reset();
  }

  size_t left;  // callbacks until it destroys the call; 0: never
  std::unique_ptr<upstream::Call> call;
  std::string text, reasoning;
  std::vector<std::string> tools;  // name|arguments
  std::optional<upstream::Outcome> outcome;
};

// How the upstream behaves, beside its body.
struct Behaviour {
  int status = 200;
  client::TransferEnd::Cause end = client::TransferEnd::Cause::clean;
  size_t read = 0;       // bytes at a time
  size_t callbacks = 0;  // until the handler destroys the call
};

// What `bytes` say under the names of `keys` at most.
inline size_t most_said(std::string_view bytes, std::initializer_list<std::string_view> keys) {
  size_t most = 0;
  for (const std::string_view key : keys) {
    const std::string quoted = '"' + std::string(key) + '"';
    for (size_t at = 0; (at = bytes.find(quoted, at)) != bytes.npos;) {
      at += quoted.size();
      const size_t from = bytes.find('"', at);
      if (from == bytes.npos) break;
      size_t to = from + 1;
      while (to < bytes.size() && bytes[to] != '"') to += bytes[to] == '\\' ? 2 : 1;
      most += std::min(to, bytes.size()) - from - 1;
    }
  }
  return most;
}

inline void play(std::string_view bytes, const Behaviour& how) {
  client::HttpHead head;
  head.status = how.status;
  head.content_type = "text/event-stream";
  client::played->on_head(head);
  while (client::played && !bytes.empty()) {
    const std::string piece(bytes.substr(0, how.read));  // its own memory, gone after the call
    bytes.remove_prefix(piece.size());
    client::played->on_body(piece);
  }
  if (client::played) client::played->on_end({how.end, ""});
  for (int again = 0; client::played && again < 3; ++again) {  // the dialect has asked once more
    client::played->on_end({client::TransferEnd::Cause::unreachable, ""});
  }
}

// What a client would notice of the answer; "" if the handler has destroyed the call.
inline std::string answer_to(upstream::Provider& provider, std::string_view bytes, const Behaviour& how,
                             std::initializer_list<std::string_view> said_as) {
  CallChecker checker(how.callbacks);
  auto request = provider.prepare({"m", R"([{"role":"user","content":"hi"}])", "", "r"});
  require(request.has_value());
  checker.call = provider.start(*request, checker);
  play(bytes, how);
  if (!checker.call) return {};
  require(checker.outcome.has_value() && !client::played);
  checker.call.reset();
  // A half of a character becomes three bytes, and an escape may name a member.
  const bool plain = bytes.find("\\u") == bytes.npos && json::valid_utf8(bytes);
  if (plain) require(checker.text.size() + checker.reasoning.size() <= most_said(bytes, said_as));
  const upstream::Outcome& end = *checker.outcome;
  std::string out = checker.text + '\n' + checker.reasoning;
  for (const std::string& tool : checker.tools) out += '\n' + tool.substr(0, tool.find('|'));
  if (end.failure) return out + '\n' + end.failure->message;
  return out + '\n' + std::to_string(static_cast<int>(end.finish_reason)) + end.finish_reason_raw + ' ' +
         std::to_string(end.usage.output_tokens.value_or(0));
}

using MakeProvider = std::unique_ptr<upstream::Provider> (*)(std::shared_ptr<client::HttpClient>,
                                                             upstream::ProviderOptions);

// The target's whole work. The input's first byte chooses how the upstream behaves, and where the handler quits.
// `said_as` are the members whose strings are text or reasoning.
inline int run_dialect(MakeProvider make, std::initializer_list<std::string_view> said_as, const Input& input) {
  using Cause = client::TransferEnd::Cause;
  static transport::Loop loop;  // it never runs: a body's end is always played
  upstream::ProviderOptions options;
  options.base_url = "http://127.0.0.1";
  options.max_event_bytes = 64 << 10;
  const auto provider = make(std::make_shared<client::HttpClient>(loop, nullptr), options);
  Behaviour how;
  how.status = input.choice % 8 == 7 ? 429 : 200;
  how.end = input.choice % 3 == 0 ? Cause::clean : (input.choice % 3 == 1 ? Cause::cut : Cause::idle_timeout);
  how.read = input.bytes.size() + 1;
  const std::string whole = answer_to(*provider, input.bytes, how, said_as);
  for (const size_t read : {size_t{1}, input.choice % 61 + 2}) {
    how.read = read;
    require(answer_to(*provider, input.bytes, how, said_as) == whole);
  }
  how.callbacks = input.choice % 16 + 1;
  answer_to(*provider, input.bytes, how, said_as);
  return 0;
}

}  // namespace tokenrelay::fuzz
