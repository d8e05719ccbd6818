// What browsers need and what they must not be able to do: CORS (WHATWG Fetch 3.2) and DNS rebinding.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "service/http/reply.h"
#include "service/http/request.h"

namespace tokenrelay::http {

// Names this machine's loopback: localhost, 127.0.0.0/8 or [::1], any port, any case, a trailing dot tolerated.
bool is_loopback_host(std::string_view host);

// The headers that a reply to this request carries. A foreign origin gets none (but Vary).
HeaderList cors_headers(const Request& request, const std::vector<std::string>& allowed);

// The answer to a preflight from an allowed origin; nothing if this is none.
std::optional<Reply> preflight(const Request& request, const std::vector<std::string>& allowed);

}  // namespace tokenrelay::http
