// What browsers need: CORS (WHATWG Fetch 3.2), and the headers that keep answers from being misused by pages.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "service/http/origin.h"
#include "service/http/reply.h"
#include "service/http/request.h"

namespace tokenrelay::http {

// The headers for a reply to this request. An origin that is not allowed gets only Vary.
HeaderList cors_headers(const Request& request, const std::vector<std::string>& allowed);

// On every answer: it is what its Content-Type says, and no other site's page may embed it. Under TLS browsers are told
// to come back by TLS (RFC 6797), except to localhost, where other servers of the same machine would be meant too.
void append_guard_headers(HeaderList& headers, bool tls, const std::optional<Origin>& own);
// The policy of an answer that is no page: as a document it may load, run and be framed by nothing.
inline constexpr std::string_view no_page_policy = "default-src 'none'; frame-ancestors 'none'";

// The answer to a preflight from an allowed origin; nullopt if this request is not one.
std::optional<Reply> preflight(const Request& request, const std::vector<std::string>& allowed);

}  // namespace tokenrelay::http
