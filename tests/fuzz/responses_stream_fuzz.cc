// A body of events through the parser and the whole Responses dialect, whatever the events say of ids, indexes and
// parts: every call has a name, its first piece brings it, nothing follows the end, and a part that is repeated as a
// whole adds nothing.
#include <map>

#include "service/upstream/responses/answer.h"
#include "service/upstream/sse_parser.h"
#include "tests/fuzz/answer_harness.h"

using namespace tokenrelay;
using upstream::ResponsesAnswer;

namespace {

struct Told final : upstream::CallHandler {
  void on_text(std::string_view delta) override { add(text, delta); }
  void on_reasoning(std::string_view delta) override { add(reasoning, delta); }
  void on_tool_call(int index, std::string_view id, std::string_view name, std::string_view arguments) override {
    fuzz::require(json::valid_utf8(id) && json::valid_utf8(name) && json::valid_utf8(arguments));
    const bool first = index == static_cast<int>(calls.size());
    fuzz::require(first ? !name.empty() : index >= 0 && index < static_cast<int>(calls.size()));
    if (first) calls.emplace_back(std::string(id) + '\n' + std::string(name) + '\n');
    if (!first) fuzz::require(id.empty() && name.empty() && !arguments.empty());
    calls[index] += arguments;
  }
  void on_end(upstream::Outcome) override {}
  uint64_t told_bytes() const override { return text.size() + reasoning.size(); }
  void add(std::string& to, std::string_view delta) {
    fuzz::require(!delta.empty() && json::valid_utf8(delta));
    to += delta;
  }
  bool operator==(const Told& other) const {
    return text == other.text && reasoning == other.reasoning && calls == other.calls && end == other.end;
  }

  std::string text, reasoning;
  std::vector<std::string> calls;
  ResponsesAnswer::Taken end = ResponsesAnswer::Taken::event;
};

bool repeats_a_part(std::string_view payload, std::string_view name) {
  std::string scratch;
  const auto event = upstream::read_responses_event(payload, scratch);
  const std::string_view type = event.type.empty() ? name : event.type;
  return type.ends_with(".done") && type != "response.done" && type != "response.output_item.done";
}

class Body final : public upstream::SseSink {
 public:
  Body(Told& told, bool twice) : told_(told), answer_(told), twice_(twice) {}

  bool on_event(const upstream::SseEvent& event) override {
    const int times = twice_ && repeats_a_part(event.data, event.name) ? 2 : 1;
    for (int time = 0; time < times && told_.end == ResponsesAnswer::Taken::event; ++time) {
      const std::string payload(event.data), name(event.name);  // their own memory, gone after the call
      told_.end = answer_.take(payload, name);
    }
    return told_.end == ResponsesAnswer::Taken::event;
  }
  void over() {
    fuzz::require(answer_.flush());
    fuzz::require(answer_.empty() == (told_.text.empty() && told_.reasoning.empty() && told_.calls.empty()));
    const auto outcome = answer_.outcome();
    fuzz::require(json::valid_utf8(outcome.finish_reason_raw));
    const bool calls = outcome.finish_reason == upstream::FinishReason::tool_calls;
    fuzz::require(answer_.is_incomplete() || calls == !told_.calls.empty());
  }

 private:
  Told& told_;
  ResponsesAnswer answer_;
  const bool twice_;
};

Told told_of(std::string_view bytes, size_t read, bool twice) {
  Told told;
  Body body(told, twice);
  upstream::SseParser parser(body, 1 << 20);
  auto result = upstream::SseParser::Result::more;
  for (size_t at = 0; at < bytes.size() && result == upstream::SseParser::Result::more; at += read) {
    const std::string piece(bytes.substr(at, read));
    result = parser.feed(piece);
  }
  if (result == upstream::SseParser::Result::more) parser.finish();
  body.over();
  return told;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const fuzz::Input input = fuzz::input_of(data, size);
  const Told whole = told_of(input.bytes, input.bytes.size() + 1, false);
  fuzz::require(told_of(input.bytes, input.choice % 50 + 1, false) == whole);
  fuzz::require(told_of(input.bytes, input.bytes.size() + 1, true) == whole);
  return 0;
}
