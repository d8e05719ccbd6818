// The client's address behind proxies: the rightmost address of X-Forwarded-For that is not a trusted proxy.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "service/http/request.h"

namespace tokenrelay::http {

// `network` is an address or CIDR, IPv4 or IPv6. False for anything malformed.
bool in_network(std::string_view address, std::string_view network);

// Is this address one of these proxies?
bool is_trusted(std::string_view address, const std::vector<std::string>& trusted);

std::string client_address(const Request& request, const std::string& peer, const std::vector<std::string>& trusted);

}  // namespace tokenrelay::http
