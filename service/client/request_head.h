// A request's head as the bytes that are sent: HTTP/1.1, origin form (RFC 9112 3).
#pragma once

#include <string>

#include "service/client/http_client.h"
#include "service/client/target.h"

namespace tokenrelay::client {

// Headers of the request replace the client's defaults of the same name (Accept, User-Agent …), except for those that
// frame the request or say where it goes. A header without a value, or one that would break the head, is left out. It
// ends with the empty line.
std::string request_head(const HttpRequest& request, const Target& target);

// "Name: value" without CR, LF or NUL.
bool is_safe_header(std::string_view line);

}  // namespace tokenrelay::client
