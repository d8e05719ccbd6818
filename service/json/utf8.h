// UTF-8 (RFC 3629) where it may be cut anywhere.
#pragma once

#include <cstddef>
#include <string_view>

namespace tokenrelay::json {

bool valid_utf8(std::string_view text);

// The longest prefix of valid UTF-8 `text` that is at most `max_bytes` and ends at a code point's end.
size_t utf8_prefix(std::string_view text, size_t max_bytes);

}  // namespace tokenrelay::json
