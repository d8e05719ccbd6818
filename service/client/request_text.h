// A request as it goes over the connection: HTTP/1.1, origin form, one piece (RFC 9112 3).
#pragma once

#include <string>

#include "service/client/http_client.h"
#include "service/client/target.h"

namespace tokenrelay::client {

// Headers of the request replace the client's own of the same name (Accept, User-Agent …), but for those that frame it
// or say where it goes. Ones that would break the head, or without a value, are left out.
std::string request_text(const HttpRequest& request, const Target& target);

// "Name: value" without CR, LF or NUL.
bool is_safe_header(std::string_view line);

}  // namespace tokenrelay::client
