// Records what a call reports, and runs the loop until it ends or a deadline passes.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "service/transport/loop.h"
#include "service/upstream/upstream.h"
#include "tests/support/catch.h"

// A call of a request that the provider supports.
inline std::unique_ptr<tokenrelay::upstream::Call> call_of(tokenrelay::upstream::Provider& provider,
                                                           const tokenrelay::upstream::ModelRequest& request,
                                                           tokenrelay::upstream::CallHandler& handler) {
  auto prepared = provider.prepare(request);
  REQUIRE(prepared);
  return provider.start(std::move(*prepared), handler);
}

struct Recorder final : tokenrelay::upstream::CallHandler {
  struct Tool {
    std::string id, name, arguments;
    int pieces = 0;
  };

  explicit Recorder(tokenrelay::transport::Loop& on_loop) : loop(&on_loop) {}
  Recorder(Recorder&& other) = default;

  void on_text(std::string_view delta) override {
    deltas.emplace_back(delta);
    text += delta;
    if (on_delta) on_delta();
  }
  void on_reasoning(std::string_view delta) override { reasoning += delta; }
  uint64_t told_bytes() const override { return text.size() + reasoning.size(); }
  void on_tool_call(int index, std::string_view id, std::string_view name, std::string_view arguments_delta) override {
    if (index == static_cast<int>(tools.size())) tools.push_back({std::string(id), std::string(name), "", 0});
    REQUIRE(index < static_cast<int>(tools.size()));
    if (tools[index].pieces++ > 0) {
      CHECK(id == "");
      CHECK(name == "");
    }
    tools[index].arguments += arguments_delta;
  }
  void on_first_byte() override { ++first_bytes; }
  void on_opaque(std::string_view object) override { opaque.emplace_back(object); }
  void on_resumable(std::string_view token) override { resumable.emplace_back(token); }
  void on_seam(std::string_view reason) override { seams.emplace_back(reason); }
  void on_end(tokenrelay::upstream::Outcome result) override {
    REQUIRE_FALSE(outcome);
    outcome = std::move(result);
    ended = std::chrono::steady_clock::now();
    loop->stop();
  }

  void run_until_end(int64_t deadline_ms = 20'000) {
    bool late = false;
    tokenrelay::transport::Timer deadline(loop->timers(), [&] {
      late = true;
      loop->stop();
    });
    deadline.arm(deadline_ms);
    loop->run();
    REQUIRE_FALSE(late);
    call.reset();
  }

  int64_t elapsed_ms() const { return std::chrono::duration_cast<std::chrono::milliseconds>(ended - started).count(); }

  tokenrelay::transport::Loop* loop;
  std::unique_ptr<tokenrelay::upstream::Call> call;
  std::vector<std::string> deltas;
  std::string text, reasoning;
  std::vector<Tool> tools;
  std::vector<std::string> opaque, resumable, seams;
  int first_bytes = 0;
  std::optional<tokenrelay::upstream::Outcome> outcome;
  std::function<void()> on_delta;
  std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now(), ended;
};
