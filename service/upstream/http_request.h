// What the HTTP requests of every dialect have in common.
#pragma once

#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "service/upstream/providers.h"
#include "service/upstream/upstream.h"

namespace tokenrelay::upstream {

// JSON there, events back, the request's id, and `own` (the credential, versions), of which empty ones are left out.
// A header that the configuration sets wins over each of these. Lines, "Name: value".
std::vector<std::string> request_headers(const ModelRequest& request, const ProviderOptions& options,
                                         std::initializer_list<std::pair<const char*, std::string>> own,
                                         bool with_body = true);

// "Bearer KEY"; "" without a key.
std::string bearer(const ProviderOptions& options);

std::string joined_url(const std::string& base_url, const std::string& path);

}  // namespace tokenrelay::upstream
