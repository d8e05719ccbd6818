// Writing JSON by hand where a DOM would cost too much (the token path). RFC 8259.
#pragma once

#include <string>
#include <string_view>

namespace tokenrelay::json {

// Appends `text` as a JSON string with its quotes. Escapes what must be escaped and U+2028/2029; never writes a line
// break. Invalid UTF-8 becomes U+FFFD, so the output is always valid.
void append_string(std::string& out, std::string_view text);

}  // namespace tokenrelay::json
