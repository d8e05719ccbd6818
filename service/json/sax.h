// Reading foreign JSON without a DOM: the token path. A pull reader over one complete text.
//
// Promise: strings without escapes allocate nothing, others hardly anything if the scratch buffer is reused; nesting is
// bounded; nothing throws. Errors stick: after the first one every call returns at once, empty, and ok() is false.
// Views live until the next call that reads a string; views of strings without escapes live as long as the text.
//
// Liberal in strings, since providers cut them anywhere: bytes are not checked for UTF-8, control characters pass, and
// a lone surrogate escape becomes the three bytes that UTF-8 would give it (ED A0..BF xx), for a Joiner to complete.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "service/json/depth.h"

namespace tokenrelay::json {

// Whether a text is one JSON value, nested at most as deep as a Reader takes.
bool is_json(std::string_view text);

// The offset of the first quote or backslash; the size if there is none.
size_t find_special(std::string_view text);

class Reader {
 public:
  enum class Kind { object, array, string, number, boolean, null, nothing };

  Reader(std::string_view text, std::string& scratch, int max_depth = 64)
      : at_(text.data()), end_(text.data() + text.size()), scratch_(scratch), depth_left_(max_depth) {}

  Kind peek();  // what the next value is; `nothing` at the end or where no value can start

  // Calls member(key) for each member; a value that it does not read is skipped. `key` is valid until the first read.
  template <class Member>
  void object(Member&& member) {
    if (!enter('{', '}')) return;
    do {
      const std::string_view key = read_key();
      const char* before = at_;
      if (ok_) member(key);
      if (at_ == before) skip();
    } while (next('}'));
  }

  template <class Element>
  void array(Element&& element) {
    if (!enter('[', ']')) return;
    do {
      peek();
      const char* before = at_;
      if (ok_) element();
      if (at_ == before) skip();
    } while (next(']'));
  }

  std::string_view string();         // another kind is skipped: ""
  std::string_view number();         // its characters; another kind is skipped: ""
  std::optional<int64_t> integer();  // nullopt: not an integer, or too large
  bool boolean();                    // another kind is skipped: false
  std::string_view raw();            // the value's own text, whatever it is
  void skip();

  // Ends the reading as an error would; from then on neither the text nor the scratch buffer is used.
  void stop() { fail(); }

  bool ok() const { return ok_; }
  bool at_end();  // no error, and only white space is left

 private:
  bool fail();
  void skip_space();
  bool enter(char open, char close);  // true if there is a first element
  bool next(char close);              // true if there is another
  std::string_view read_key();
  std::string_view read_string();  // from the opening quote on
  std::string_view unescape(const char* from);
  bool append_escape();
  bool hex4(uint32_t& unit);
  void skip_string();
  std::string_view word(std::string_view expected);

  const char* at_;
  const char* const end_;
  std::string& scratch_;
  int depth_left_;
  bool ok_ = true;
};

}  // namespace tokenrelay::json
