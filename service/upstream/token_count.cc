#include "service/upstream/token_count.h"

#include <charconv>
#include <string>
#include <string_view>

#include "service/json/sax.h"

namespace tokenrelay::upstream {

std::optional<uint64_t> read_count(json::Reader& in) {
  constexpr double most = 1e15;  // beyond it a double does not hold every integer
  const bool quoted = in.peek() == json::Reader::Kind::string;
  const std::string_view digits = quoted ? in.string() : in.number();
  double count = 0;
  const auto [stop, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), count);
  if (failed != std::errc() || stop != digits.data() + digits.size() || !(count >= 0 && count <= most)) return {};
  return static_cast<uint64_t>(count);
}

// Of the prompt, then of the answer. "cache_creation_tokens" is LiteLLM's word.
bool read_details(json::Reader& in, std::string_view key, Usage& usage) {
  const bool of_input = key == "prompt_tokens_details" || key == "input_tokens_details";
  if (!of_input && key != "completion_tokens_details" && key != "output_tokens_details") return false;
  if (in.peek() != json::Reader::Kind::object) return in.skip(), true;
  in.object([&](std::string_view detail) {
    if (detail == "audio_tokens") {
      update_count(of_input ? usage.audio_input_tokens : usage.audio_output_tokens, read_count(in));
    } else if (of_input && detail == "cached_tokens") {
      update_count(usage.cached_tokens, read_count(in));
    } else if (of_input && (detail == "cache_write_tokens" || detail == "cache_creation_tokens")) {
      update_count(usage.cache_write_tokens, read_count(in));
    } else if (!of_input && detail == "reasoning_tokens") {
      update_count(usage.reasoning_tokens, read_count(in));
    }
  });
  return true;
}

void update_count(std::optional<uint64_t>& known, std::optional<uint64_t> later) {
  if (later && (*later > 0 || !known)) known = later;
}

void update_usage(Usage& known, const Usage& later) {
  update_count(known.input_tokens, later.input_tokens);
  update_count(known.output_tokens, later.output_tokens);
  for (const auto& [name, count] : usage_details) update_count(known.*count, later.*count);
}

}  // namespace tokenrelay::upstream
