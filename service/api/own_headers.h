// What of a client's head goes up beside its own body (upstream/own_request.h): headers by an allow-list, and the
// query.
//
// Attack: a credential of the client, or of a proxy in front, would reach the provider. So nothing passes that is not
// named here or in the upstream's `pass_headers`, and what carries a credential passes never.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "service/http/request.h"

namespace tokenrelay::api {

// Names in lower case. A header that was sent several times is joined to one (RFC 9110 5.3).
std::vector<std::pair<std::string, std::string>> headers_up(const http::Request& request,
                                                            const std::vector<std::string>& pass_headers);

// "beta=true&…", percent-encoded; without what the relay reads itself, and without credentials.
std::string query_up(const http::Request& request);

}  // namespace tokenrelay::api
