// A stream of payloads, one a line, through the Responses dialect: every delta is whole characters and never empty,
// tool calls are numbered and named as promised, opaque data is one line of JSON, and a handler may destroy the answer
// at any callback.
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "service/json/parse.h"
#include "service/json/utf8.h"
#include "service/upstream/responses_answer.h"

namespace {

using namespace tokenrelay;
using upstream::ResponsesAnswer;

void require(bool condition) {
  if (!condition) std::abort();
}

struct Handler final : upstream::CallHandler {
  void on_text(std::string_view delta) override { check(delta); }
  void on_reasoning(std::string_view delta) override { check(delta); }
  void on_tool_call(int index, std::string_view id, std::string_view name, std::string_view arguments) override {
    require(index >= 0);
    if (static_cast<size_t>(index) >= named.size()) named.resize(index + 1);
    if (named[index]) {
      require(id.empty() && name.empty() && !arguments.empty());
    } else {
      require(!id.empty());
      named[index] = true;
    }
    require(json::valid_utf8(id) && json::valid_utf8(name) && json::valid_utf8(arguments));
    count();
  }
  void on_opaque(std::string_view object) override {
    require(json::parse(object) && object.find('\n') == object.npos);
    count();
  }
  void on_end(upstream::Outcome) override {}

  void check(std::string_view delta) {
    require(!delta.empty() && json::valid_utf8(delta));
    count();
  }
  void count() {
    if (--left == 0) answer.reset();
  }

  int left = 0;
  std::vector<bool> named;
  std::unique_ptr<ResponsesAnswer> answer;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  Handler handler;
  handler.left = data[0];  // callbacks until it destroys the answer; 0: never
  handler.answer = std::make_unique<ResponsesAnswer>(handler);
  std::string input(reinterpret_cast<const char*>(data) + 1, size - 1);
  for (size_t at = 0; at < input.size();) {
    const size_t end = std::min(input.find('\n', at), input.size());
    const std::string payload = input.substr(at, end - at);
    const auto taken = handler.answer->take(payload);
    require((taken == ResponsesAnswer::Taken::gone) == (handler.answer == nullptr));
    if (taken != ResponsesAnswer::Taken::event) break;
    at = end + 1;
  }
  if (!handler.answer) return 0;
  const bool alive = handler.answer->flush();
  require(alive == (handler.answer != nullptr));
  if (!alive) return 0;
  const upstream::Outcome outcome = handler.answer->outcome();
  require(json::valid_utf8(outcome.finish_reason_raw));
  return 0;
}
