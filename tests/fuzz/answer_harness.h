// A stream of payloads, one a line, through a dialect's answer: every delta is whole characters and never empty, tool
// calls are numbered and named as promised, opaque data is one line of JSON, and a handler may destroy the answer at
// any callback.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "service/json/parse.h"
#include "service/json/utf8.h"
#include "service/upstream/upstream.h"
#include "tests/fuzz/harness.h"

namespace tokenrelay::fuzz {

// Checks what it is told, and destroys the answer in the callback that was chosen.
template <class Answer>
struct AnswerHandler final : upstream::CallHandler {
  explicit AnswerHandler(size_t callbacks) : left(callbacks), answer(std::make_unique<Answer>(*this)) {}

  void on_text(std::string_view delta) override { check(delta); }
  void on_reasoning(std::string_view delta) override { check(delta); }
  void on_tool_call(int index, std::string_view id, std::string_view name, std::string_view arguments) override {
    require(index >= 0);
    if (static_cast<size_t>(index) >= told.size()) told.resize(index + 1);
    // Id and name come with the first piece (where the provider gives any), and again never.
    if (told[index]) require(id.empty() && name.empty() && !arguments.empty());
    told[index] = true;
    require(json::valid_utf8(id) && json::valid_utf8(name) && json::valid_utf8(arguments));
    count();
  }
  void on_opaque(std::string_view object) override {
    require(json::parse(object) && object.find('\n') == object.npos);
    count();
  }
  uint64_t told_bytes() const override { return 0; }
  void on_end(upstream::Outcome) override {}

  void check(std::string_view delta) {
    require(!delta.empty() && json::valid_utf8(delta));
    count();
  }
  void count() {
    if (--left == 0) answer.reset();
  }

  size_t left;             // callbacks until it destroys the answer; 0: never
  std::vector<bool> told;  // of each call, by its number: a piece came
  std::unique_ptr<Answer> answer;
};

// `goes_on` is what the answer says of a payload after which there may be another.
template <class Answer>
int take_lines(const Input& input, typename Answer::Taken goes_on) {
  AnswerHandler<Answer> handler(input.choice);
  for (size_t at = 0; at < input.bytes.size();) {
    const size_t end = std::min(input.bytes.find('\n', at), input.bytes.size());
    const std::string payload(input.bytes.substr(at, end - at));  // its own memory, gone after the call
    const auto taken = handler.answer->take(payload);
    require((taken == Answer::Taken::gone) == (handler.answer == nullptr));
    if (taken != goes_on) break;
    at = end + 1;
  }
  if (!handler.answer) return 0;
  const bool alive = handler.answer->flush();
  require(alive == (handler.answer != nullptr));
  if (!alive) return 0;
  require(std::find(handler.told.begin(), handler.told.end(), false) == handler.told.end());  // no number is left out
  require(json::valid_utf8(handler.answer->outcome().finish_reason_raw));
  return 0;
}

}  // namespace tokenrelay::fuzz
