// Foreign JSON into a DOM and back without a loss, for what is put together from a provider's pieces: a number keeps
// its characters (12345678901234567890123, 1.0, 1e-400), half a surrogate pair waits for the other half, which may come
// with the next piece. Liberal, as Reader is (sax.h); of two members of one name the last counts.
//
// Threads: any. Bounds: `deepest` levels; deeper or broken text gives nothing.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "service/json/parse.h"

namespace tokenrelay::json {

// Strings may hold halves of characters: only dump_exact() writes them as JSON. A number that neither an integer nor a
// double gives back as it was is a binary value with its characters.
std::optional<Value> parse_exact(std::string_view text);

// On one line, valid UTF-8: halves that found no other are U+FFFD.
std::string dump_exact(const Value& value);

}  // namespace tokenrelay::json
