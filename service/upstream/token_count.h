// The counts of a provider's usage, in the forms they come in.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace tokenrelay::json {
class Reader;
}

namespace tokenrelay::upstream {

// Reads the reader's next value: 30, 30.0 or "30". nullopt for what is no count: null, "", a negative one.
std::optional<uint64_t> read_count(json::Reader& in);

// One count of an object of counts: `cached_tokens` of {"cached_tokens":8,"audio_tokens":0}. nullopt for anything else.
std::optional<uint64_t> read_count_of(json::Reader& in, std::string_view member);

// A later count replaces an earlier one; but a zero is no count where there was one.
void update_count(std::optional<uint64_t>& known, std::optional<uint64_t> later);

}  // namespace tokenrelay::upstream
