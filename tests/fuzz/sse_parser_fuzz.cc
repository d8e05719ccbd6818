// Whatever comes, however it is split: no crash, the same events as in one piece, and the bound holds.
#include <string>
#include <vector>

#include "service/upstream/sse_parser.h"
#include "tests/fuzz/harness.h"

namespace {

using namespace tokenrelay;
using upstream::SseEvent;
using upstream::SseParser;

constexpr size_t limit = 256;

struct Sink final : upstream::SseSink {
  bool on_event(const SseEvent& event) override {
    fuzz::require(!event.data.empty() && event.data.size() <= limit && event.name.size() <= 64);
    events.push_back(std::string(event.name) + '\0' + std::string(event.data) + (event.is_error_line ? "!" : "") +
                     (event.unterminated ? "$" : ""));
    return true;
  }
  std::vector<std::string> events;
};

std::vector<std::string> events_of(std::string_view input, size_t read) {
  Sink sink;
  SseParser parser(sink, limit);
  auto result = SseParser::Result::more;
  while (!input.empty() && result == SseParser::Result::more) {
    const std::string piece(input.substr(0, read));  // its own memory, gone after the call
    result = parser.feed(piece);
    input.remove_prefix(piece.size());
  }
  if (result == SseParser::Result::more) parser.finish();
  return sink.events;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::same_in_every_split(fuzz::input_of(data, size), 40, events_of);
  return 0;
}
