// An upstream whose every word the test speaks: it records the calls and hands out their handlers.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "service/upstream/upstream.h"

namespace tokenrelay::support {

struct ScriptedCall {
  upstream::ModelRequest request;
  upstream::CallHandler* handler = nullptr;  // null once the call is closed
  bool paused = false, kept = false;
  int pauses = 0;

  bool closed() const { return handler == nullptr; }
  void text(std::string_view delta) { handler->on_text(delta); }
  void complete(upstream::FinishReason reason = upstream::FinishReason::stop) {
    upstream::Outcome outcome;
    outcome.finish_reason = reason;
    handler->on_end(std::move(outcome));
  }
  void fail(upstream::ErrorCode code, bool retryable, std::optional<int64_t> retry_after_ms = std::nullopt) {
    upstream::Outcome outcome;
    outcome.failure = upstream::Error{code, "as scripted", retryable, retry_after_ms, 0};
    handler->on_end(std::move(outcome));
  }
};

struct ScriptedRequest final : upstream::PreparedRequest {
  upstream::ModelRequest request;
  size_t bytes() const override { return request.messages.size() + request.parameters.size(); }
};

inline upstream::PreparedPtr scripted(upstream::ModelRequest request) {
  auto made = std::make_shared<ScriptedRequest>();
  made->request = std::move(request);
  return made;
}

class ScriptedProvider final : public upstream::Provider {
 public:
  std::vector<std::shared_ptr<ScriptedCall>> calls;  // in order of their start

  ScriptedCall& last() { return *calls.at(calls.size() - 1); }
  size_t open() const {
    size_t open = 0;
    for (const auto& call : calls) open += call->closed() ? 0 : 1;
    return open;
  }

  std::string_view kind() const override { return "scripted"; }
  upstream::Prepared prepare(const upstream::ModelRequest& request) const override { return scripted(request); }
  std::unique_ptr<upstream::Call> start(upstream::PreparedPtr request, upstream::CallHandler& handler) override {
    auto call = std::make_shared<ScriptedCall>();
    call->request = static_cast<const ScriptedRequest&>(*request).request;
    call->handler = &handler;
    calls.push_back(call);
    return std::make_unique<Open>(std::move(call));
  }

 private:
  struct Open final : upstream::Call {
    explicit Open(std::shared_ptr<ScriptedCall> call) : call_(std::move(call)) {}
    ~Open() override { call_->handler = nullptr; }
    void keep_answer() override { call_->kept = true; }
    void pause() override {
      call_->paused = true;
      ++call_->pauses;
    }
    void resume() override { call_->paused = false; }
    std::shared_ptr<ScriptedCall> call_;
  };
};

}  // namespace tokenrelay::support
