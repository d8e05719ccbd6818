// Progress: passes on to the call's owner what an answer tells, and counts how many events in a row told nothing. An
// upstream that only repeats empty ones would be read as fast as it sends, for as long as a stream may last.
#pragma once

#include <cstddef>
#include <utility>

#include "service/upstream/upstream.h"

namespace tokenrelay::upstream {

class Progress final : public CallHandler {
 public:
  explicit Progress(CallHandler& to) : to_(to) {}

  size_t idle_events() const { return idle_events_; }
  void count_event() { ++idle_events_; }

  void on_text(std::string_view delta) override { told().on_text(delta); }
  void on_reasoning(std::string_view delta) override { told().on_reasoning(delta); }
  void on_tool_call(int index, std::string_view id, std::string_view name, std::string_view arguments_delta) override {
    told().on_tool_call(index, id, name, arguments_delta);
  }
  void on_end(Outcome outcome) override { to_.on_end(std::move(outcome)); }
  void on_first_byte() override { to_.on_first_byte(); }
  void on_opaque(std::string_view one) override { told().on_opaque(one); }
  void on_resumable(std::string_view token) override { told().on_resumable(token); }
  void on_seam(std::string_view reason) override { told().on_seam(reason); }

 private:
  CallHandler& told() {
    idle_events_ = 0;
    return to_;
  }

  CallHandler& to_;
  size_t idle_events_ = 0;
};

}  // namespace tokenrelay::upstream
