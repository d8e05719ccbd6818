// The counts of a provider's usage, in the forms they come in.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "service/upstream/upstream.h"

namespace tokenrelay::json {
class Reader;
}

namespace tokenrelay::upstream {

// Reads the reader's next value: 30, 30.0 or "30". nullopt for what is no count: null, "", a negative one.
std::optional<uint64_t> read_count(json::Reader& in);

// The details of a usage in OpenAI's form, of Chat Completions or Responses: {"cached_tokens":8,"audio_tokens":0}.
// False: `key` is none of theirs, and nothing was read. What is no object says nothing.
bool read_details(json::Reader& in, std::string_view key, Usage& usage);

// A later count replaces an earlier one; but a zero is no count where there was one.
void update_count(std::optional<uint64_t>& known, std::optional<uint64_t> later);
void update_usage(Usage& known, const Usage& later);  // each of its counts

}  // namespace tokenrelay::upstream
