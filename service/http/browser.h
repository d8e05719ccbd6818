// What browsers need, and what they must not be able to do: CORS (WHATWG Fetch 3.2), DNS rebinding.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "service/http/reply.h"
#include "service/http/request.h"

namespace tokenrelay::http {

// True for the names of loopback: localhost, 127.0.0.0/8 or [::1]; any port, any case, with or without a trailing dot.
bool is_loopback_host(std::string_view host);

// The headers for a reply to this request. An origin that is not allowed gets only Vary.
HeaderList cors_headers(const Request& request, const std::vector<std::string>& allowed);

// The answer to a preflight from an allowed origin; nullopt if this request is not one.
std::optional<Reply> preflight(const Request& request, const std::vector<std::string>& allowed);

}  // namespace tokenrelay::http
