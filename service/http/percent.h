// Percent-encoding (RFC 3986 2.1) and the query string (WHATWG application/x-www-form-urlencoded).
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tokenrelay::http {

bool well_encoded(std::string_view path);  // every '%' is followed by two hex digits, and %00 does not occur

std::string percent_decode(std::string_view text);  // a '%' without two hex digits after it stays as it is

// RFC 3986 6.2.2: unreserved characters are decoded, other escapes stay, with hex digits in upper case.
std::string normalise_path(std::string_view path);

// Names and values decoded ('+' is a space), in order; a part without '=' has an empty value.
std::vector<std::pair<std::string, std::string>> parse_query(std::string_view query);

}  // namespace tokenrelay::http
