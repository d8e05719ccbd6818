// Joiner: turns the pieces of one text (a content block, one tool call's arguments), cut anywhere by the provider, into
// pieces of whole code points.
//
// A piece may end inside a UTF-8 sequence or with a high surrogate (as Reader gives it: ED A0..AF xx). That end is held
// back until the next piece completes it. If it stays incomplete it becomes U+FFFD, like any other invalid byte.
#pragma once

#include <string>
#include <string_view>

namespace tokenrelay::json {

class Joiner {
 public:
  // The text that is complete after this piece: `piece` itself if nothing had to change, else in `buffer`
  // (overwritten).
  std::string_view next(std::string_view piece, std::string& buffer);

  // The rest at the end of the text: "" or U+FFFD.
  std::string_view flush();

 private:
  void repair(std::string_view text, std::string& out);

  char held_[5];  // at most a high surrogate and two bytes of its partner
  unsigned char held_size_ = 0;
};

// A complete text (a name, an error message) as valid UTF-8.
std::string repaired(std::string_view text);

}  // namespace tokenrelay::json
