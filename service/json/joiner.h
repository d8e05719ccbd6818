// Joiner: the pieces of one text (a content block, one tool call's arguments) as providers cut them, made whole code
// points.
//
// A piece may end inside a UTF-8 sequence or with a high surrogate (as Reader gives it: ED A0..AF xx). That end is held
// back until the next piece completes it. What nothing completes becomes U+FFFD, as does any other invalid byte.
#pragma once

#include <string>
#include <string_view>

namespace tokenrelay::json {

class Joiner {
 public:
  // The text that is whole after this piece: `piece` itself where nothing had to change, else in `buffer`
  // (overwritten).
  std::string_view next(std::string_view piece, std::string& buffer);

  // What is still held at the end of the text: "" or U+FFFD.
  std::string_view flush();

 private:
  void repair(std::string_view text, std::string& out);

  char held_[5];  // at most a high surrogate and two bytes of its partner
  unsigned char held_size_ = 0;
};

// A text that stands alone (a name, an error message): always valid UTF-8.
std::string repaired(std::string_view text);

}  // namespace tokenrelay::json
