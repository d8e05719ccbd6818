// Shape: reading the next of many nearly equal JSON texts without parsing it.
//
// A provider's chunks differ in one string, the delta. After a text was parsed, learn() keeps the bytes before and
// after that string. A later text that begins and ends with the same bytes, with a plain string between them, has the
// same structure and the same meaning except for that string. Any other text goes to the parser.
//
// Promise: match() gives the same result as the parser. A string with an escape never matches. Bounds: only texts of up
// to max_bytes are learnt.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace tokenrelay::json {

class Shape {
 public:
  static constexpr size_t max_bytes = 2 << 10;

  // `text` must be valid JSON, and `hole` the inside of one of its strings, without escapes, as a view into it. Else
  // nothing is learnt.
  void learn(std::string_view text, std::string_view hole);

  // Whether a text, valid JSON with this hole (escapes or not), says the same as the one learnt, except in the hole.
  bool fits(std::string_view text, std::string_view hole) const;

  // The text in the hole, as a view into `text`.
  std::optional<std::string_view> match(std::string_view text) const;

 private:
  bool matches_rest(std::string_view rest) const;

  std::string before_, after_;  // after_ up to the padding's opening quote, where there is padding
  std::string end_;             // after the padding
  bool padded_ = false;         // OpenAI's "obfuscation": random characters that mean nothing
  bool learnt_ = false;
};

}  // namespace tokenrelay::json
