// The counts of a provider's usage, in the forms they come in.
#pragma once

#include <cstdint>
#include <optional>

namespace tokenrelay::json {
class Reader;
}

namespace tokenrelay::upstream {

// Reads the reader's next value: 30, 30.0 or "30". nullopt for what is no count: null, "", a negative one.
std::optional<uint64_t> read_count(json::Reader& in);

// A later count replaces an earlier one; but a zero is no count where there was one.
void update_count(std::optional<uint64_t>& known, std::optional<uint64_t> later);

}  // namespace tokenrelay::upstream
