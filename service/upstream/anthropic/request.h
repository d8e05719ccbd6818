// A ModelRequest as a Messages request (DIALECTS.md, Messages: request).
//
// The API requires max_tokens: without one from the client it is 4,096, which every model accepts, plus the thinking
// budget if reasoning_effort asks for one. Members of x_anthropic.body are sent unchanged: they replace what was
// translated, except that `tools` are added to, and `metadata` and `output_config` completed.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "service/upstream/providers.h"
#include "service/upstream/upstream.h"

namespace tokenrelay::upstream {

// The error names the field that is not supported.
tl::expected<std::string, UnsupportedField> anthropic_body(const ModelRequest& request);

// A header from the configuration replaces the relay's own of the same name. Of x_anthropic.headers only
// `anthropic-version` and `anthropic-beta` are sent.
std::vector<std::string> anthropic_headers(const ModelRequest& request, const ProviderOptions& options);

std::string anthropic_url(const std::string& base_url);  // `base_url` may end with /v1

}  // namespace tokenrelay::upstream
