// Foreign JSON into a DOM, safely: bounded depth and number of values, exact position of an error, no exception.
// Requests and stored rows only; the token path uses sax.h.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "service/json/depth.h"

namespace tokenrelay::json {

using Value = nlohmann::ordered_json;

// What a text may have at most. A body of 10 MiB holds five million values, which take gigabytes and seconds.
struct Limits {
  Limits(int deepest_nesting = 64, size_t most_values = SIZE_MAX)  // NOLINT: a depth alone is a limit
      : depth(deepest_nesting), values(most_values) {}
  int depth;
  size_t values;  // scalars, arrays and objects together
};

struct ParseError {
  std::string message;  // "line 3, column 14: expected ':'" - positions and syntax, never content
};

// Strict RFC 8259, UTF-8, nothing after the value, duplicate keys in one object refused, lone surrogate escapes
// refused.
tl::expected<Value, ParseError> parse(std::string_view text, Limits limits = {});

// On one line; escapes as write.h does. Never throws: invalid UTF-8 becomes U+FFFD.
std::string dump(const Value& value);

// A member's text; "" if `object` is not an object, lacks it, or has another type there.
std::string word(const Value& object, const char* name);

}  // namespace tokenrelay::json
