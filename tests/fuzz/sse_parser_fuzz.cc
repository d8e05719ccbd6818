// Whatever comes, however it is split: no crash, the same events as in one piece, and the bound holds.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "service/upstream/sse_parser.h"

namespace {

using tokenrelay::upstream::SseEvent;
using tokenrelay::upstream::SseParser;

constexpr size_t limit = 256;

struct Sink final : tokenrelay::upstream::SseSink {
  bool on_event(const SseEvent& event) override {
    if (event.data.empty() || event.data.size() > limit || event.name.size() > 64) std::abort();
    events.push_back(std::string(event.name) + '\0' + std::string(event.data) + (event.is_error_line ? "!" : "") +
                     (event.unterminated ? "$" : ""));
    return true;
  }
  std::vector<std::string> events;
};

// The first byte says how large the reads are.
Sink parse(std::string_view input, size_t read) {
  Sink sink;
  SseParser parser(sink, limit);
  auto result = SseParser::Result::more;
  while (!input.empty() && result == SseParser::Result::more) {
    const std::string piece(input.substr(0, read));  // its own memory, gone after the call
    result = parser.feed(piece);
    input.remove_prefix(piece.size());
  }
  if (result == SseParser::Result::more) parser.finish();
  return sink;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Sink whole = parse(input, input.size()), split = parse(input, data[0] % 40 + 1);
  if (whole.events != split.events) std::abort();
  return 0;
}
