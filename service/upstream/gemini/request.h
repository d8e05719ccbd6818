// A ModelRequest as a streamGenerateContent request (DIALECTS.md, Gemini: request).
//
// Members of x_gemini.body are sent unchanged: `tools` are added to, `generationConfig` and `toolConfig` completed, and
// the others replace what was translated. The relay supports one candidate, text only, no log probabilities, and whole
// function calls; a request for more is refused, there too.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "service/upstream/providers.h"
#include "service/upstream/upstream.h"

namespace tokenrelay::upstream {

// The error names the field that is not supported.
tl::expected<std::string, UnsupportedField> gemini_body(const ModelRequest& request);

// The key is sent as x-goog-api-key, never in the URL. A header from the configuration replaces the relay's own of the
// same name.
std::vector<std::string> gemini_headers(const ModelRequest& request, const ProviderOptions& options);

// `base_url` may end with its version (or, for Vertex, with its publisher); `model` may begin with "models/".
std::string gemini_url(const std::string& base_url, const std::string& model);

}  // namespace tokenrelay::upstream
