// Writing JSON (RFC 8259), by hand where a DOM would cost too much (the token path).
//
// All JSON that the relay writes escapes more than it must: DEL, U+0080 to U+009F, U+2028 and U+2029. Clients that
// split lines by Unicode's rules would break an event at some of them, and a terminal would act on others in a log.
#pragma once

#include <string>
#include <string_view>

namespace tokenrelay::json {

// Appends `text` as a JSON string with its quotes; never writes a line break. Invalid UTF-8 becomes U+FFFD, so the
// output is always valid.
void append_string(std::string& out, std::string_view text);

// Valid JSON text from another writer, with those characters escaped.
std::string escaped(std::string json);

}  // namespace tokenrelay::json
