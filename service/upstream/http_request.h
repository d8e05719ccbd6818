// What the HTTP requests of every dialect have in common.
#pragma once

#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "service/upstream/providers.h"

namespace tokenrelay::upstream {

// As lines, "Name: value": Content-Type, Accept, the request's id and `set` (the credential, versions); empty ones are
// left out. A header from the configuration replaces the one of the same name, and so does one of a client whose own
// request this is (null: it is not).
std::vector<std::string> request_headers(const std::string& request_id, const ProviderOptions& options,
                                         std::initializer_list<std::pair<const char*, std::string>> set,
                                         const OwnRequest* own = nullptr, bool with_body = true);

// "Bearer KEY"; "" without a key.
std::string bearer(const ProviderOptions& options);

std::string joined_url(const std::string& base_url, const std::string& path);
std::string with_query(std::string url, const OwnRequest* own);

}  // namespace tokenrelay::upstream
