// A ModelRequest in the words of Messages (DIALECTS.md, Messages: request).
//
// max_tokens, which the API demands, is 4,096 where the client gave none (what every model takes), and the thinking
// budget on top of it where reasoning_effort asks for one. Members of x_anthropic.body stand as they are: they replace
// what was translated, `tools` are added, `metadata` and `output_config` are completed.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "service/upstream/providers.h"
#include "service/upstream/upstream.h"

namespace tokenrelay::upstream {

// What cannot be carried over is named.
tl::expected<std::string, UnsupportedField> anthropic_body(const ModelRequest& request);

// One of the configuration's headers replaces ours of that name. Of x_anthropic.headers only `anthropic-version` and
// `anthropic-beta` are sent on.
std::vector<std::string> anthropic_headers(const ModelRequest& request, const ProviderOptions& options);

std::string anthropic_url(const std::string& base_url);  // with or without /v1 at its end

}  // namespace tokenrelay::upstream
